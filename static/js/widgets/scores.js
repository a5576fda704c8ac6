// Labels with their probabilities, as bars.
export function scores(output) {
  const list = Object.assign(document.createElement("ol"), { className: "bars" });
  for (const { label, score } of output.scores) {
    const row = document.createElement("li");
    const bar = Object.assign(document.createElement("progress"), { max: 1, value: score });
    bar.setAttribute("aria-hidden", "true");
    row.append(
      Object.assign(document.createElement("span"), { textContent: label }),
      bar,
      Object.assign(document.createElement("span"), { textContent: `${(score * 100).toFixed(1)} %` }),
    );
    list.append(row);
  }
  return list;
}
