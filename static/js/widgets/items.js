// Pick items from the catalog, in order; the answer is a ranking.
import { ranking } from "./ranking.js";

export function mount(body, { example, examples, changed }) {
  const titles = [...body.querySelectorAll("#try-items option")].map((option) => option.value);
  const known = new Map(titles.map((title) => [title.toLowerCase(), title]));
  const remove = body.querySelector("[data-remove]").dataset.remove;
  const pickers = [...body.querySelectorAll("[data-picker]")].map((place) => picker(place, known, remove, changed));
  const fill = (input) => {
    for (const one of pickers) one.set(input[one.name] ?? []);
  };
  let next = 1;
  body.querySelector("[data-example]").addEventListener("click", () => {
    fill(examples[next++ % examples.length]);
    changed();
  });
  body.querySelector("[data-clear]").addEventListener("click", () => {
    pickers[0].set([]);
    changed();
  });
  fill(example);
  return {
    // A candidate is needed, a history is not: somebody may be new.
    input: () => (pickers.slice(1).every((one) => one.chosen.length) ? Object.fromEntries(pickers.map((one) => [one.name, [...one.chosen]])) : null),
    show: (output) => ranking(output),
  };
}

function picker(place, known, remove, changed) {
  const field = place.querySelector("input");
  const unknown = place.querySelector("[data-unknown]");
  const list = place.querySelector("[data-chips]");
  const found = { name: place.dataset.picker, chosen: [], set };
  function set(chosen) {
    found.chosen = chosen;
    list.replaceChildren(...chosen.map(chip));
  }
  function chip(title, at) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "×", ariaLabel: `${remove}: ${title}` });
    button.addEventListener("click", () => {
      set(found.chosen.filter((_, other) => other !== at));
      (list.querySelectorAll("button")[at] ?? field).focus();
      changed();
    });
    const row = document.createElement("li");
    row.append(title, button);
    return row;
  }
  function add() {
    const title = known.get(field.value.trim().toLowerCase());
    unknown.hidden = Boolean(title) || !field.value;
    unknown.textContent = unknown.hidden ? "" : unknown.dataset.unknown;
    if (!title) return;
    field.value = "";
    set([...found.chosen, title]);
    changed();
  }
  place.querySelector("[data-add]").addEventListener("click", add);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    add();
  });
  // Picked from the list with mouse or finger.
  field.addEventListener("input", (event) => {
    unknown.hidden = true;
    if (!(event instanceof InputEvent) || event.inputType === "insertReplacementText") add();
  });
  return found;
}
