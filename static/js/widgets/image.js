// Draw with mouse, pen or finger, or give an image file; the answer is labels with their probabilities.
import { given } from "./given.js";
import { scores } from "./scores.js";

export function mount(body, panel) {
  const picture = given(body, { side: 280, draws: true }, panel);
  return {
    input: () => (picture.data() ? { image: picture.data() } : null),
    show: scores,
  };
}
