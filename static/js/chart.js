// Draws each .chart from the JSON beside it; the table that belongs to it is in the page. Days are UTC's, as in the tables.
import uPlot from "/static/vendor/uplot/uPlot.esm.js";

const DAY_S = 86_400;
const STEPS_S = [1, 2, 7, 14, 30, 90, 365].map((days) => days * DAY_S); // between the days that an axis names
const drawn = new WeakMap();
const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang; // 28 Nov, as the pages write it
const inUTC = (options) => {
  const format = new Intl.DateTimeFormat(language, { timeZone: "UTC", ...options });
  return (seconds) => format.format(seconds * 1000);
};
const shortDay = inUTC({ month: "short", day: "numeric" });
const wholeDay = inUTC({ year: "numeric", month: "short", day: "numeric" });
const moment = inUTC({ month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dollars = (options) => {
  const format = new Intl.NumberFormat(language, { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", ...options });
  return (value) => format.format(value);
};
const roundDollars = dollars({ maximumSignificantDigits: 4 });
const exactDollars = dollars({ maximumFractionDigits: 9 });

const beside = (_, low, high) => [low - (high - low || 1) * 0.05, high + (high - low || 1) * 0.05]; // points do not stand on the edge

function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function draw(box) {
  const data = JSON.parse(document.getElementById(box.dataset.source).textContent);
  const dates = typeof data.x[0] === "string";
  const bars = dates && !data.steps;
  const x = dates ? data.x.map((day) => Date.parse(day) / 1000) : data.x;
  const inks = data.series.map((one, at) => colour(one.ink ?? ["--accent", "--warn", "--muted"][at % 3]));
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
  const times = (_, splits, __, ___, step) => splits.map(step < DAY_S ? moment : shortDay);
  const last = (shown) => shown.setLegend({ idx: x.length - 1 }, false);
  const named = (_, at, __, index) => (index == null || at == null ? "–" : `${roundDollars(at)} · ${data.names[index]}`); // of a point
  const amounts = (_, splits) => splits.map(roundDollars);
  drawn.get(box)?.destroy();
  const plot = new uPlot(
    {
      width: box.clientWidth,
      height: 220,
      cursor: { drag: { x: false } },
      // Below the chart stands what the pointer is at, else the last of it.
      hooks: { ready: [last], setCursor: [(shown) => shown.cursor.idx ?? last(shown)] },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      scales: {
        // A bar stands in the middle of its day; one alone has its day to itself.
        x: { time: dates, ...(data.points && { range: beside }), ...(bars && { range: [x[0] - DAY_S / 2, x.at(-1) + DAY_S / 2] }) },
        // Bars begin at nothing, or their heights would lie.
        y: bars ? { range: (_, low, high) => [Math.min(0, low), (high || 1) * 1.05] } : {},
      },
      axes: [data.points ? { ...axis, values: amounts, space: 72 } : dates ? { ...axis, values: times, space: 64, ...(bars && { incrs: STEPS_S, grid: { show: false } }) } : axis, { ...axis, size: 72, ...(data.dollars && { values: amounts }) }],
      series: [
        { label: box.dataset.x, ...(data.points && { value: named }), ...(dates && { value: (_, at) => (at == null ? "–" : (bars ? wholeDay : moment)(at)) }) },
        ...data.series.map((one, at) => ({
          label: one.label,
          stroke: inks[at],
          width: bars ? 0 : one.ink === "--muted" ? 1 : 2, // of many curves, the one that counts
          fill: bars ? inks[at] : undefined,
          points: data.points ? { show: true, size: 9, fill: inks[at] } : { show: bars ? false : undefined },
          paths: data.points ? () => null : data.steps ? uPlot.paths.stepped({ align: 1 }) : bars ? uPlot.paths.bars({ size: [0.7, 40] }) : undefined,
          value: (_, value) => (value == null ? "–" : data.dollars ? exactDollars(value) : value.toPrecision(4)),
        })),
      ],
    },
    [x, ...data.series.map((one) => one.values)],
    box,
  );
  drawn.set(box, plot);
}

function drawAll(within) {
  for (const box of within.querySelectorAll(".chart[data-source]")) draw(box);
}
const again = () => drawAll(document);
again();
document.addEventListener("themechange", again);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
matchMedia("print").addEventListener("change", again); // paper is light
document.addEventListener("htmx:afterSettle", (event) => drawAll(event.target));
addEventListener("resize", () => {
  for (const box of document.querySelectorAll(".chart[data-source]")) drawn.get(box)?.setSize({ width: box.clientWidth, height: 220 });
});
