// An output by its shape: probabilities, a number, what was found, vectors, a ranking, a text, pictures, else JSON.
import { found } from "./found.js";
import { ranking } from "./ranking.js";
import { answer } from "./values.js";
import { vectors } from "./vectors.js";

export function shown(output, words) {
  if (output.scores || "value" in output) return answer(output, words);
  if (output.items?.[0]?.text !== undefined) return found(output);
  if (output.embeddings) return vectors(output);
  if (output.items) return ranking(output);
  if (typeof output.text === "string") return Object.assign(document.createElement("div"), { className: "written", textContent: output.text });
  return json(output);
}

export function json(output) {
  return Object.assign(document.createElement("pre"), { textContent: JSON.stringify(output, null, 2) });
}
