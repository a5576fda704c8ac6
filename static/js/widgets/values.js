// An estimated number; where there are classes, their probabilities, and the reasons that the model gives.
import { reasons } from "./reasons.js";
import { scores } from "./scores.js";

export function answer(output, words) {
  if (output.reasons) {
    const both = document.createElement("div");
    both.append(scores(output), reasons(output, words));
    return both;
  }
  if (!("value" in output)) return scores(output);
  const number = new Intl.NumberFormat(document.documentElement.lang, { maximumSignificantDigits: 4 });
  return Object.assign(document.createElement("p"), { className: "estimate", textContent: number.format(output.value) });
}
