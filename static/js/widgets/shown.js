// An output by its shape: probabilities, a number, a text, pictures, else JSON.
import { answer } from "./values.js";

export function shown(output, prompt) {
  if (output.scores || "value" in output) return answer(output);
  if (typeof output.text === "string") return Object.assign(document.createElement("div"), { className: "written", textContent: output.text });
  if (output.images) return pictures(output.images, prompt);
  return json(output);
}

function pictures(images, prompt) {
  const grid = Object.assign(document.createElement("div"), { className: "pictures" });
  for (const [at, image] of images.entries()) {
    const src = `data:image/png;base64,${image}`;
    const link = Object.assign(document.createElement("a"), { href: src, download: `mercato-${at + 1}.png` });
    link.append(Object.assign(document.createElement("img"), { src, alt: `${prompt} (${at + 1})` }));
    grid.append(link);
  }
  return grid;
}

export function json(output) {
  return Object.assign(document.createElement("pre"), { textContent: JSON.stringify(output, null, 2) });
}
