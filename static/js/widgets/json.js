// Any input as JSON.
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
    show: (output) => {
      const pre = document.createElement("pre");
      pre.textContent = JSON.stringify(output, null, 2);
      return pre;
    },
  };
}
