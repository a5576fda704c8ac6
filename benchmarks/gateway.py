"""Whole requests: the gateway's cost, and one image through a SavedModel."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import urllib3

from benchmarks.site import CHAT, Site, pinned, wrk

__all__ = ["measure", "pinned"]
CONNECTIONS, SECONDS = (1, 16, 64), 5
_CONVOLUTION = """
import sys, tensorflow as tf
model = tf.keras.Sequential([tf.keras.Input((8, 8, 1), name="image"), tf.keras.layers.Conv2D(32, 3, activation="relu"),
    tf.keras.layers.Conv2D(32, 3, activation="relu"), tf.keras.layers.Flatten(), tf.keras.layers.Dense(10)])
model.export(sys.argv[1])
"""


def measure() -> dict[str, Any]:
    """Requests a second at 1, 16 and 64 connections, and what the gateway adds to a direct call."""
    rows: list[dict[str, Any]] = []
    with Site(serve=False) as site:
        folder = Path(tempfile.mkdtemp(prefix="mercato-bench-model-")) / "model"
        subprocess.run([sys.executable, "-c", _CONVOLUTION, str(folder)], check=True, capture_output=True)
        site.manage("add_model", "bench/image", "--task", "tensor", "--engine", "tensorflow", "--source", str(folder),
                    "--price-request", "0.0001")  # fmt: skip
        site.start()
        tensor = site_input(site)
        works = (("gateway", "/v1/chat/completions", CHAT), ("predict", "/v2/models/bench/image/infer", tensor))
        for _, path, body in works:
            site.call(path, body)  # all is loaded, and nothing is in the background any more
        for work, path, body in works:
            wrk(site.url + path, body, site.key, 16, 2)
            for conns in CONNECTIONS:
                rows.append({"work": work, "conns": conns, **wrk(site.url + path, body, site.key, conns, SECONDS)})
        return {"rows": rows, "added_ms": _added(site)}


def site_input(site: Site) -> dict[str, Any]:
    """An inference request that fits bench/image."""
    request = urllib.request.Request(
        f"{site.url}/v2/models/bench/image", headers={"Authorization": f"Bearer {site.key}"}
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        name = json.load(response)["inputs"][0]["name"]
    data = [round(((i * 37) % 17) / 16, 4) for i in range(64)]
    return {"inputs": [{"name": name, "shape": [1, 8, 8, 1], "datatype": "FP32", "data": data}]}


def _added(site: Site, count: int = 400) -> float:
    """The median of a call through us less the median of one to the upstream, in turns; milliseconds."""
    pool = urllib3.PoolManager()

    def ask(url: str) -> float:
        started = time.perf_counter()
        answer = pool.request("POST", url, json=CHAT, headers={"Authorization": f"Bearer {site.key}"})
        assert answer.status == 200, answer.data
        return (time.perf_counter() - started) * 1000

    ours, theirs = f"{site.url}/v1/chat/completions", f"{site.upstream_url}/chat/completions"
    for url in (ours, theirs) * 20:
        ask(url)
    pairs = [(ask(ours), ask(theirs)) for _ in range(count)]
    return statistics.median(a for a, _ in pairs) - statistics.median(b for _, b in pairs)
