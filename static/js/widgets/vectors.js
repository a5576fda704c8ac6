// Vectors by their first numbers, and how near each is to each other: their cosine, from −1 to 1.
const SHOWN = 4;
const MOST = 12;

export function vectors(output) {
  const all = output.embeddings;
  const number = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const place = Object.assign(document.createElement("div"), { className: "vectors" });
  const begins = (vector) => `[${vector.slice(0, SHOWN).map((one) => one.toFixed(4)).join(", ")}, …] × ${vector.length}`;
  place.append(Object.assign(document.createElement("pre"), { textContent: all.map((vector, at) => `${at + 1}  ${begins(vector)}`).join("\n") }));
  if (all.length < 2 || all.length > MOST) return place;
  const wrap = Object.assign(document.createElement("div"), { className: "table", tabIndex: 0 });
  const table = document.createElement("table");
  const row = (head, cells) => {
    const made = table.insertRow();
    made.append(Object.assign(document.createElement("th"), { textContent: head }));
    for (const cell of cells) made.insertCell().textContent = cell;
  };
  const head = table.insertRow();
  for (const at of ["", ...all.keys()]) head.append(Object.assign(document.createElement("th"), { textContent: at === "" ? "cos" : at + 1 }));
  for (const [at, vector] of all.entries()) row(at + 1, all.map((other) => number.format(cosine(vector, other))));
  wrap.append(table);
  place.append(wrap);
  return place;
}

function cosine(one, other) {
  const dot = (a, b) => a.reduce((sum, value, at) => sum + value * b[at], 0);
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other) || 1);
}
