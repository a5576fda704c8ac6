// A picture, and what a model made of it, side by side at the same size.
import { given } from "./given.js";

const LARGEST = 512; // as the task takes them

export function mount(body, panel) {
  const picture = given(body, { side: LARGEST, draws: false }, panel);
  const pair = body.querySelector("template").content;
  return {
    input: () => (picture.data() ? { image: picture.data() } : null),
    show(output) {
      const result = document.importNode(pair, true);
      const [before, after] = result.querySelectorAll("img");
      const [small, large] = result.querySelectorAll("[data-size]");
      before.src = picture.data();
      after.src = `data:image/png;base64,${output.image}`;
      small.textContent = `${picture.canvas.width} × ${picture.canvas.height}`;
      large.textContent = `${output.width} × ${output.height}`;
      result.querySelector("a").href = after.src;
      return result;
    },
  };
}
