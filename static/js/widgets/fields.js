// A field for each property of the input's schema (the first, where it takes one of several); whatever the output is, it is shown as people read it.
import { shown } from "./shown.js";

export function mount(body, { example, examples, changed }) {
  const fields = [...body.querySelectorAll("[data-field]")];
  function fill(input) {
    for (const field of fields) {
      const value = input[field.dataset.field];
      if (value !== undefined) field.value = "lines" in field.dataset ? value.join("\n") : value;
    }
  }
  let next = 1;
  body.querySelector("[data-example]")?.addEventListener("click", () => {
    fill(examples[next++ % examples.length]);
    changed();
  });
  body.addEventListener("input", changed);
  fill(example);
  return {
    input() {
      const input = {};
      for (const field of fields) {
        const lines = field.value.split("\n").filter((line) => line.trim());
        const value = "lines" in field.dataset ? lines : field.type === "number" ? field.valueAsNumber : field.value;
        if (value?.length || (typeof value === "number" && !Number.isNaN(value))) input[field.dataset.field] = value;
      }
      return Object.keys(input).length ? input : null;
    },
    show: shown,
  };
}
