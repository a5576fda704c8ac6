// A picture with its parts coloured; a legend beside says which and how much of it they are.
import { given } from "./given.js";

const LARGEST = 512; // as the mask is answered

export function mount(body, panel) {
  const picture = given(body, { side: LARGEST, draws: false }, panel);
  const frame = body.querySelector("template").content;
  return {
    input: () => (picture.data() ? { image: picture.data() } : null),
    show(output) {
      const result = document.importNode(frame, true);
      result.querySelector("ul").replaceChildren(...output.segments.map(line));
      coloured(result.querySelector("canvas"), picture.canvas, output);
      return result;
    },
  };
}

async function coloured(canvas, picture, output) {
  const mask = new Image();
  mask.src = `data:image/png;base64,${output.mask}`;
  [canvas.width, canvas.height] = [output.width, output.height];
  await mask.decode();
  const paint = canvas.getContext("2d");
  paint.drawImage(mask, 0, 0);
  const parts = paint.getImageData(0, 0, canvas.width, canvas.height);
  // The first class is the ground: it stays as it is.
  for (let at = 0; at < parts.data.length; at += 4) {
    const part = parts.data[at] || parts.data[at + 1] || parts.data[at + 2];
    parts.data[at + 3] = part ? 190 : 0;
  }
  paint.putImageData(parts, 0, 0);
  paint.globalCompositeOperation = "destination-over";
  paint.drawImage(picture, 0, 0, canvas.width, canvas.height);
}

function line({ label, share, color }) {
  const row = document.createElement("li");
  const patch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const square = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  patch.setAttribute("viewBox", "0 0 1 1");
  patch.setAttribute("aria-hidden", "true");
  for (const [name, value] of [["width", 1], ["height", 1], ["fill", color]]) square.setAttribute(name, value);
  patch.append(square);
  row.append(
    patch,
    Object.assign(document.createElement("span"), { textContent: label }),
    Object.assign(document.createElement("span"), { textContent: `${(share * 100).toFixed(1)} %` }),
  );
  return row;
}
