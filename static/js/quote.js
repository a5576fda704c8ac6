// What a run, or a search of many, costs at most, as its budget is typed in seconds or in dollars.
const box = document.querySelector("[data-quote]");
const most = box?.querySelector("[data-quote-most]");
const seconds = box?.querySelector("input[name=budget_s]");
const dollars = box?.querySelector("input[name=budget_usd]");
const times = document.querySelector("[data-quote-seconds]");
const counted = document.querySelector("[data-quote-runs]");
const format = new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", minimumFractionDigits: 2, maximumFractionDigits: 6 });

function quote() {
  const paid = dollars?.value.trim() ? Math.floor((Number(dollars.value) * 1e9) / Number(box.dataset.second)) : seconds.valueAsNumber;
  const bought = Number.isFinite(paid) ? paid : 0;
  if (most) most.textContent = format.format((Number(box.dataset.second) * bought) / 1e9);
  if (times) times.textContent = String(bought);
}

// A search has a run for each combination of the values.
function count() {
  const values = [...document.querySelectorAll("input[name^=knob_]")].map((field) => new Set(field.value.split(/[\s,;]+/).filter(Boolean)).size);
  counted.textContent = String(values.reduce((runs, one) => runs * one, 1));
}

seconds?.addEventListener("input", () => {
  if (dollars) dollars.value = "";
  quote();
});
dollars?.addEventListener("input", quote);
if (counted) {
  document.addEventListener("input", (event) => event.target.name?.startsWith("knob_") && count());
  count();
}
