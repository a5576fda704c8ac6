"""`make bench`: our own speed, measured on this machine. A table and plots in var/bench/, figures as JSON beside them.

Server on one core, load on the other (taskset, where there is one). Every part is bounded and on loopback. Peers are
not measured here: ratios to them need one run with them (docs/performance.md).
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import batching, catalog, gateway, growth, streams, usage  # noqa: E402 – the root must be on the path first

OUT = ROOT / "var" / "bench"


def generation() -> dict[str, Any]:
    """See generation.py, in a process of its own: it needs TensorFlow to itself."""
    done = subprocess.run(
        [*gateway.pinned(0), sys.executable, str(ROOT / "benchmarks" / "generation.py")],
        capture_output=True, text=True, timeout=900, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "requests": gateway.measure,
    "batching": batching.measure,
    "generation": generation,
    "streams": streams.measure,
    "growth": growth.measure,
    "usage": usage.measure,
    "catalog": catalog.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all if none is named")
    named = parser.parse_args().parts or list(PARTS)
    OUT.mkdir(parents=True, exist_ok=True)
    file = OUT / "figures.json"
    figures: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    figures["when"], figures["machine"] = time.strftime("%Y-%m-%d"), f"{platform.machine()}, {_cpu()}"
    for name in named:
        print(f"{name} …", flush=True)
        figures[name] = PARTS[name]()
        print(json.dumps(figures[name]), flush=True)
        file.write_text(json.dumps(figures, indent=1))
    (OUT / "table.md").write_text(table(figures))
    plot(figures)
    print(table(figures))
    print(f"Table, plots and figures are in {OUT.relative_to(ROOT)}/")


def table(figures: dict[str, Any]) -> str:
    """The figures for people, as Markdown."""
    rows = [f"Measured {figures['when']} on {figures['machine']}; one core for the server, one for the load.", "",
            "| work | figure |", "|---|---|"]  # fmt: skip
    for row in figures.get("requests", {}).get("rows", []):
        many = "connection" if row["conns"] == 1 else "connections"
        rows.append(
            f"| {row['work']}, {row['conns']} {many} | {row['rps']:.0f} req/s, p50 {row['p50_ms']:.1f} ms, p99 {row['p99_ms']:.1f} ms |"
        )
    if "requests" in figures:
        rows.append(f"| gateway, added to a direct call at 1 connection | {figures['requests']['added_ms']:.2f} ms |")
    if "batching" in figures:
        for name, found in figures["batching"].items():
            rows.append(
                f"| batching, {name}: {found['ms_a_row_alone']:.1f} ms a row alone, {found['ms_a_row_in_32']:.1f} in a batch of 32, beside a bare loop | {found['share']:.0%} |"
            )
    if "generation" in figures:
        rows.append(f"| 8 texts at once, beside one after the other | {figures['generation']['ratio']:.1f} × |")
    if "streams" in figures:
        s = figures["streams"]
        rows.append(
            f"| {s['streams']} streams at {s['tokens_a_second']} tokens/s | {s['complete']} complete, first token +{s['added_first_ms']:.0f} ms, {s['kb_a_stream']:.0f} kB each |"
        )
    if "growth" in figures:
        rows.append(
            f"| a full database beside an empty one | {figures['growth']['share']:.0%} of its requests a second |"
        )
    for name, found in figures.get("usage", {}).items():
        rates = " / ".join(f"{rate['events_per_s']:,}" for rate in found["ingest"].values())
        slowest = max(found["many"], key=found["many"].get)
        rows.append(f"| {name}: usage events a second, each on disk, 1 / 64 threads | {rates} |")
        rows.append(
            f"| {name}: the slowest page of usage with {usage.FEW:,} events, with {found['events']:,} ({slowest}) | "
            f"{max(found['few'].values()):.0f} ms, {found['many'][slowest]:.0f} ms |"
        )
    for name, found in figures.get("catalog", {}).items():
        times = {what: each["p95"] for what, each in found["search"].items()}
        slowest = max(times, key=times.__getitem__)
        page = max(each["p95"] for each in found["pages"].values())
        rows.append(
            f"| {name}: the slowest of {len(found['search'])} searches in {found['models']:,} models ({slowest}), and page | "
            f"p50 {found['search'][slowest]['p50']:.0f} ms, p95 {found['search'][slowest]['p95']:.0f} ms; p95 {page:.0f} ms |"
        )
    return "\n".join(rows) + "\n"


def plot(figures: dict[str, Any]) -> None:
    """Throughput by connections, and what each part reached beside its target."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    if "requests" in figures:
        shown, axes = plt.subplots(figsize=(6, 3.6))
        for work in ("gateway", "predict"):
            own = [row for row in figures["requests"]["rows"] if row["work"] == work]
            axes.plot([row["conns"] for row in own], [row["rps"] for row in own], marker="o", label=work)
        axes.set(
            xlabel="connections", ylabel="requests a second", xscale="log", ylim=(0, None), title="Throughput, one core"
        )
        axes.set_xticks(ticks := sorted({row["conns"] for row in figures["requests"]["rows"]}), map(str, ticks))
        axes.minorticks_off()
        axes.legend()
        shown.tight_layout()
        shown.savefig(OUT / "requests.png", dpi=140)
        plt.close(shown)
    goals = _goals(figures)
    if goals:
        shown, axes = plt.subplots(figsize=(7, 0.6 * len(goals) + 1.4))
        bars = axes.barh(list(goals), [reached for reached, _ in goals.values()])
        axes.bar_label(bars, [told for _, told in goals.values()], padding=4)
        axes.axvline(1, color="black", linewidth=1.5)
        axes.set(xlabel="of the target (1: reached)", xlim=(0, 1.35 * max(reached for reached, _ in goals.values())))
        axes.invert_yaxis()
        shown.tight_layout()
        shown.savefig(OUT / "targets.png", dpi=140)
        plt.close(shown)


def _goals(figures: dict[str, Any]) -> dict[str, tuple[float, str]]:
    """What each part reached of its target, and the figure in words."""
    found: dict[str, tuple[float, str]] = {}
    if "requests" in figures:
        added = figures["requests"]["added_ms"]
        found["gateway adds (1 ms)"] = 1 / added, f"{added:.2f} ms"
    if "batching" in figures:
        share = figures["batching"]["image"]["share"]
        found["batching of a bare loop (90 %)"] = share / 0.9, f"{share:.0%}"
    if "generation" in figures:
        found["generation to one by one (3 ×)"] = (
            figures["generation"]["ratio"] / 3,
            f"{figures['generation']['ratio']:.1f} ×",
        )
    if "growth" in figures:
        found["full database of empty (95 %)"] = figures["growth"]["share"] / 0.95, f"{figures['growth']['share']:.0%}"
    if "streams" in figures:
        kb = figures["streams"]["kb_a_stream"]
        found["memory a stream (1 MB)"] = 1024 / kb, f"{kb:.0f} kB"
    return found


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
