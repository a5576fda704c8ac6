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

from benchmarks import batching, gateway, growth, streams  # noqa: E402 – the root must be on the path first

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
        rows.append(
            f"| {row['work']}, {row['conns']} connections | {row['rps']:.0f} req/s, p50 {row['p50_ms']:.1f} ms, p99 {row['p99_ms']:.1f} ms |"
        )
    if "requests" in figures:
        rows.append(f"| gateway, added to a direct call at 1 connection | {figures['requests']['added_ms']:.2f} ms |")
    if "batching" in figures:
        rows.append(f"| batching, beside a bare loop at batch 32 | {figures['batching']['share']:.0%} |")
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
        axes.legend()
        shown.tight_layout()
        shown.savefig(OUT / "requests.png", dpi=140)
        plt.close(shown)
    reached = {
        "batching\n(share of a bare loop)": (figures.get("batching", {}).get("share"), 0.9),
        "generation\n(× one by one)": (figures.get("generation", {}).get("ratio"), 3.0),
        "growth\n(share of empty)": (figures.get("growth", {}).get("share"), 0.95),
    }
    known = {name: pair for name, pair in reached.items() if pair[0] is not None}
    if known:
        shown, axes = plt.subplots(figsize=(6, 3.6))
        axes.bar(list(known), [value for value, _ in known.values()], label="measured")
        axes.scatter(
            list(known), [target for _, target in known.values()], marker="_", s=2000, color="black", label="target"
        )
        axes.legend()
        shown.tight_layout()
        shown.savefig(OUT / "targets.png", dpi=140)
        plt.close(shown)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
