// Draw with mouse, pen or finger, or give an image file; sends a PNG.
import { scores } from "./scores.js";

export function mount(body, { changed, run, examples }) {
  const canvas = body.querySelector("canvas");
  const paint = canvas.getContext("2d", { willReadFrequently: true });
  const file = body.querySelector("input[type=file]");
  const drop = body.querySelector(".drop");
  let touched = false;
  let last = null;

  function clear() {
    paint.fillStyle = "#fff";
    paint.fillRect(0, 0, canvas.width, canvas.height);
    touched = false;
  }
  function at(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height];
  }
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = at(event);
    touched = true;
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const next = at(event);
    paint.strokeStyle = "#111";
    paint.lineWidth = canvas.width / 13;
    paint.lineCap = paint.lineJoin = "round";
    paint.beginPath();
    paint.moveTo(...last);
    paint.lineTo(...next);
    paint.stroke();
    last = next;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      if (!last) return;
      last = null;
      changed();
      run();
    });
  }
  async function place(source) {
    const image = new Image();
    image.src = typeof source === "string" ? source : URL.createObjectURL(source);
    await image.decode();
    clear();
    const scale = Math.min(canvas.width / image.width, canvas.height / image.height);
    const [width, height] = [image.width * scale, image.height * scale];
    paint.drawImage(image, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
    touched = true;
    changed();
    run();
  }
  file.addEventListener("change", () => file.files[0] && place(file.files[0]));
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files[0]) place(event.dataTransfer.files[0]);
    });
  }
  body.querySelector("[data-clear]").addEventListener("click", clear);
  let shown = 0;
  const sample = body.querySelector("[data-example]");
  sample.hidden = !examples.length;
  sample.addEventListener("click", () => place(examples[shown++ % examples.length].image));
  clear();
  return {
    input: () => (touched ? { image: canvas.toDataURL("image/png") } : null),
    show: scores,
  };
}
