// Any input as JSON.
import { json } from "./shown.js";

export function mount(body, { changed }) {
  const text = body.querySelector("textarea");
  text.addEventListener("input", changed);
  return {
    input() {
      try {
        text.setCustomValidity("");
        return JSON.parse(text.value);
      } catch (error) {
        text.setCustomValidity(error.message);
        text.reportValidity();
        return null;
      }
    },
    show: json,
  };
}
