// A picture with what was found on it framed; a list beside says the same.
import { given } from "./given.js";

const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#7b3fbf", "#2c7fb8", "#a6361c", "#4d7c0f", "#8a1c5a"];

export function mount(body, panel) {
  const picture = given(body, { side: 280, draws: true }, panel);
  const threshold = body.querySelector("[name=threshold]");
  const frame = body.querySelector("template").content;
  threshold.addEventListener("input", panel.changed);
  return {
    input: () => (picture.data() ? { image: picture.data(), threshold: Number(threshold.value) } : null),
    show({ objects }) {
      const result = document.importNode(frame, true);
      const list = result.querySelector("ol");
      const labels = [...new Set(objects.map(({ label }) => label))].sort();
      const colour = (label) => COLOURS[labels.indexOf(label) % COLOURS.length];
      framed(result.querySelector("canvas"), picture.canvas, objects, colour);
      list.replaceChildren(...objects.map(line));
      result.querySelector("[data-none]").hidden = objects.length > 0;
      return result;
    },
  };
}

function framed(canvas, picture, objects, colour) {
  // Frames and labels are as sharp as the screen, however few pixels the picture has.
  const scale = Math.max(1, 480 / Math.max(picture.width, picture.height));
  canvas.width = picture.width * scale;
  canvas.height = picture.height * scale;
  const paint = canvas.getContext("2d");
  paint.drawImage(picture, 0, 0, canvas.width, canvas.height);
  paint.font = "600 32px system-ui, sans-serif";
  paint.textBaseline = "top";
  paint.lineWidth = 4;
  for (const { label, box } of [...objects].reverse()) {
    const [x, y, width, height] = [box.x, box.y, box.width, box.height].map((side) => side * scale);
    paint.strokeStyle = paint.fillStyle = colour(label);
    paint.strokeRect(x, y, width, height);
    const wide = paint.measureText(label).width + 12;
    const top = y >= 40 ? y - 40 : y;
    paint.fillRect(x - 2, top, wide, 40);
    paint.fillStyle = "#fff";
    paint.fillText(label, x + 4, top + 5);
  }
}

function line({ label, score, box }) {
  const place = `${Math.round(box.width)} × ${Math.round(box.height)} @ ${Math.round(box.x)}, ${Math.round(box.y)}`;
  const row = document.createElement("li");
  row.append(
    ...[label, place, `${(score * 100).toFixed(1)} %`].map((textContent) => Object.assign(document.createElement("span"), { textContent })),
  );
  row.children[1].className = "muted";
  return row;
}
