// Items in order, the best first, as bars in proportion to the best.
export function ranking(output) {
  const list = Object.assign(document.createElement("ol"), { className: "bars ranking" });
  const share = new Intl.NumberFormat(document.documentElement.lang, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
  for (const { title, score } of output.items) {
    const row = document.createElement("li");
    const bar = Object.assign(document.createElement("progress"), { max: output.items[0].score || 1, value: score });
    bar.setAttribute("aria-hidden", "true");
    row.append(
      Object.assign(document.createElement("span"), { textContent: title }),
      bar,
      Object.assign(document.createElement("span"), { textContent: share.format(score) }),
    );
    list.append(row);
  }
  return list;
}
