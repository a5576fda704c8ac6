// What a run costs at most, as its budget is typed.
const box = document.querySelector("[data-quote]");
const most = box?.querySelector("[data-quote-most]");
const seconds = box?.querySelector("input[name=budget_s]");
const format = new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", minimumFractionDigits: 2, maximumFractionDigits: 6 });

seconds?.addEventListener("input", () => {
  if (most) most.textContent = format.format((Number(box.dataset.second) * seconds.valueAsNumber || 0) / 1e9);
});
