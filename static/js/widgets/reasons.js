// Why a model answers so: what speaks for a label grows to the right, what speaks against it to the left, in a table whose
// numbers add up to the log odds.
export function reasons(output, words) {
  const language = document.documentElement.lang;
  const effects = new Intl.NumberFormat(language, { minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "exceptZero" });
  const values = new Intl.NumberFormat(language, { maximumSignificantDigits: 6 });
  const most = Math.max(...output.reasons.map(({ effect }) => Math.abs(effect)), 1e-9);
  const table = Object.assign(document.createElement("table"), { className: "reasons" });
  table.createCaption().textContent = words.reasons.replace("{label}", output.reasons_for);
  const head = table.createTHead().insertRow();
  for (const text of [words.feature, words.value, words.effect]) {
    head.append(Object.assign(document.createElement("th"), { scope: "col", textContent: text }));
  }
  const body = table.createTBody();
  function add(name, value, effect, bars) {
    const row = body.insertRow();
    row.append(Object.assign(document.createElement("th"), { scope: "row", textContent: name }));
    row.insertCell().textContent = value;
    const cell = row.insertCell().appendChild(Object.assign(document.createElement("div"), { className: "effect" }));
    for (const sign of bars ? [-1, 1] : []) {
      const bar = Object.assign(document.createElement("progress"), { max: most, value: Math.max(effect * sign, 0), className: sign < 0 ? "against" : "for" });
      bar.setAttribute("aria-hidden", "true");
      cell.append(bar);
    }
    cell.append(Object.assign(document.createElement("span"), { textContent: effects.format(effect) }));
  }
  for (const { feature, value, effect } of output.reasons) add(feature, typeof value === "number" ? values.format(value) : (value ?? "–"), effect, true);
  add(words.rest, "", output.rest, false);
  add(words.base, "", output.base, false);
  return table;
}
