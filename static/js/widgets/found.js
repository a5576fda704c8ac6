// Texts that were found, the nearest first, each with its score as a bar.
export function found(output) {
  const list = Object.assign(document.createElement("ol"), { className: "bars found" });
  const number = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  for (const { text, score } of output.items) {
    const row = document.createElement("li");
    const bar = Object.assign(document.createElement("progress"), { max: 1, value: Math.max(score, 0) });
    bar.setAttribute("aria-hidden", "true");
    row.append(
      Object.assign(document.createElement("span"), { textContent: text, dir: "auto" }),
      bar,
      Object.assign(document.createElement("span"), { textContent: number.format(score) }),
    );
    list.append(row);
  }
  return list;
}
