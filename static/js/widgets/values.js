// An estimated number; where there are classes, their probabilities.
import { scores } from "./scores.js";

export function answer(output) {
  if (!("value" in output)) return scores(output);
  const number = new Intl.NumberFormat(document.documentElement.lang, { maximumSignificantDigits: 4 });
  return Object.assign(document.createElement("p"), { className: "estimate", textContent: number.format(output.value) });
}
