// An output by its shape: probabilities, a number, a ranking, a text, pictures, else JSON.
import { ranking } from "./ranking.js";
import { answer } from "./values.js";

export function shown(output, words) {
  if (output.scores || "value" in output) return answer(output, words);
  if (output.items) return ranking(output);
  if (typeof output.text === "string") return Object.assign(document.createElement("div"), { className: "written", textContent: output.text });
  return json(output);
}

export function json(output) {
  return Object.assign(document.createElement("pre"), { textContent: JSON.stringify(output, null, 2) });
}
