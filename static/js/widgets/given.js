// The picture that is given: an example, a file that is chosen or dropped, or a drawing. It is sent as a PNG.
// `side`: of its longer side in pixels at most, or exactly where it `draws`.
export function given(body, { side, draws }, { changed, run, examples }) {
  const canvas = body.querySelector("canvas");
  const paint = canvas.getContext("2d", { willReadFrequently: true });
  const file = body.querySelector("input[type=file]");
  const drop = body.querySelector(".drop");
  const clearing = body.querySelector("[data-clear]");
  const sample = body.querySelector("[data-example]");
  let touched = false;
  let shown = 0;

  function clear() {
    canvas.width = canvas.height = side;
    paint.fillStyle = "#fff";
    paint.fillRect(0, 0, side, side);
    touched = false;
  }
  async function place(source) {
    const image = new Image();
    image.src = typeof source === "string" ? source : URL.createObjectURL(source);
    await image.decode();
    const most = side / Math.max(image.width, image.height);
    const scale = draws ? most : Math.min(most, 1);
    canvas.width = Math.max(Math.round(image.width * scale), 1);
    canvas.height = Math.max(Math.round(image.height * scale), 1);
    paint.imageSmoothingQuality = "high";
    paint.drawImage(image, 0, 0, canvas.width, canvas.height);
    touched = true;
    changed();
  }
  async function placeAndRun(source) {
    await place(source);
    run();
  }
  file.addEventListener("change", () => file.files[0] && placeAndRun(file.files[0]));
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files[0]) placeAndRun(event.dataTransfer.files[0]);
    });
  }
  const pictures = examples.map((example) => example.image).filter(Boolean);
  sample.hidden = !pictures.length;
  sample.addEventListener("click", () => placeAndRun(pictures[shown++ % pictures.length]));
  clear();
  if (draws) {
    drawing(canvas, paint, () => (touched = true), () => {
      changed();
      run();
    });
    clearing.addEventListener("click", clear);
  } else {
    clearing.remove();
    canvas.classList.add("still");
    if (pictures.length) place(pictures[shown++]);
  }
  return { canvas, data: () => (touched ? canvas.toDataURL("image/png") : null) };
}

// Strokes by mouse, pen or finger; `ended` after each.
function drawing(canvas, paint, begun, ended) {
  let last = null;
  function at(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height];
  }
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = at(event);
    begun();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const next = at(event);
    paint.strokeStyle = "#111";
    paint.lineWidth = Number(canvas.dataset.pen ?? 1 / 13) * canvas.width;
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
      ended();
    });
  }
}
