// A number, or a choice, for each feature of a table's row.
import { answer } from "./values.js";

export function mount(body, { examples, changed }) {
  const inputs = [...body.querySelectorAll("[data-feature]")];
  const pick = body.querySelector("[data-pick]");
  function fill(row) {
    for (const input of inputs) input.value = row[input.dataset.feature] ?? "";
    changed();
  }
  pick?.addEventListener("change", () => pick.value && fill(examples[Number(pick.value)].features));
  body.addEventListener("input", changed);
  return {
    input() {
      const features = {};
      for (const input of inputs) if (input.value !== "") features[input.dataset.feature] = input.type === "number" ? Number(input.value) : input.value;
      return Object.keys(features).length ? { features } : null;
    },
    show: answer,
  };
}
