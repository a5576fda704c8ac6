// Draws each .chart from the JSON beside it; the table that belongs to it is in the page.
import uPlot from "/static/vendor/uplot/uPlot.esm.js";

const drawn = new WeakMap();

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
  const x = dates ? data.x.map((day) => Date.parse(day) / 1000) : data.x;
  const inks = [colour("--accent"), colour("--warn"), colour("--muted")];
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line") }, ticks: { stroke: colour("--line") } };
  drawn.get(box)?.destroy();
  const plot = new uPlot(
    {
      width: box.clientWidth,
      height: 220,
      // Bars begin at nothing, or their heights would lie.
      scales: { x: { time: dates }, y: dates && !data.steps ? { range: (_, low, high) => [Math.min(0, low), (high || 1) * 1.05] } : {} },
      axes: [axis, { ...axis, size: 64 }],
      series: [
        { label: dates ? "UTC" : box.dataset.x },
        ...data.series.map((one, at) => ({
          label: one.label,
          stroke: inks[at % inks.length],
          width: 2,
          fill: at === 0 && dates && !data.steps ? inks[0].replace("rgb(", "rgba(").replace(")", ", 0.12)") : undefined,
          paths: data.steps ? uPlot.paths.stepped({ align: 1 }) : dates ? uPlot.paths.bars({ size: [0.7, 40] }) : undefined,
          value: (_, value) => (value == null ? "–" : value.toPrecision(4)),
        })),
      ],
    },
    [x, ...data.series.map((one) => one.values)],
    box,
  );
  drawn.set(box, plot);
}

function all() {
  for (const box of document.querySelectorAll(".chart[data-source]")) draw(box);
}
all();
document.addEventListener("themechange", all);
matchMedia("print").addEventListener("change", all); // paper is light
document.addEventListener("htmx:afterSettle", all);
addEventListener("resize", () => {
  for (const box of document.querySelectorAll(".chart[data-source]")) drawn.get(box)?.setSize({ width: box.clientWidth, height: 220 });
});
