// A prompt, how many images, and a seed that makes them again; the images come as a grid, each to be saved.
export function mount(body, { example, changed }) {
  const [prompt, count, seed] = ["prompt", "n", "seed"].map((name) => body.querySelector(`#try-${name}`));
  prompt.value = example.prompt;
  body.addEventListener("input", changed);
  return {
    input() {
      if (!prompt.value) return null;
      const whole = Number.isInteger(seed.valueAsNumber) ? { seed: seed.valueAsNumber } : {};
      return { prompt: prompt.value, n: count.valueAsNumber || 1, ...whole };
    },
    show({ images }) {
      const grid = Object.assign(document.createElement("div"), { className: "pictures" });
      for (const [at, image] of images.entries()) {
        const src = `data:image/png;base64,${image}`;
        const link = Object.assign(document.createElement("a"), { href: src, download: `mercato-${at + 1}.png` });
        link.append(Object.assign(document.createElement("img"), { src, alt: `${prompt.value} (${at + 1})` }));
        grid.append(link);
      }
      return grid;
    },
  };
}
