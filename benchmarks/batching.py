"""A model that costs 5 ms a row and more: 64 callers through the batcher beside a bare loop at batch 32."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.site import ROOT, Site, pinned, wrk

SIZE = 64  # numbers a row
SECONDS = 15  # the answers of a last batch come after the end: a short time would count them as lost
# An image network, whose work grows with the rows; and wide layers, whose weights are read once for all rows of a batch,
# so that a row costs a tenth in a batch of what it costs alone.
_BODIES = {
    "image": """
    tf.keras.layers.Dense(32 * 32 * 8), tf.keras.layers.Reshape((32, 32, 8)),
    *[tf.keras.layers.Conv2D(64, 3, padding="same", activation="relu") for _ in range(18)],
    tf.keras.layers.GlobalAveragePooling2D(),""",
    "wide": """
    *[tf.keras.layers.Dense(3072, activation="relu") for _ in range(6)],""",
}
_MODEL = """
import sys, tensorflow as tf
tf.keras.utils.set_random_seed(1)
model = tf.keras.Sequential([tf.keras.Input((%d,), name="x"), %s tf.keras.layers.Dense(4)])
model.export(sys.argv[1])
"""
_LOOP = """
import json, sys, time
sys.path.insert(0, {root!r})
from inference.engines.tensorflow.library import tensorflow
tf = tensorflow()
import numpy as np
signature = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
name = list(signature.structured_input_signature[1])[0]
def rate(rows, seconds):
    x, count, start = tf.constant(np.zeros((rows, {size}), "float32")), 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        signature(**{{name: x}}); count += rows
    return count / (time.perf_counter() - start)
rate(1, 0.5); rate(32, 0.5)
print(json.dumps({{"one": rate(1, 2), "batch": rate(32, 4), "name": name}}))
"""


def measure() -> dict[str, Any]:
    """Of both: rows a second in the loop and through us, and the share that ours reaches; in turns, the best of each."""
    return {name: _of(body) for name, body in _BODIES.items()}


def _of(layers: str) -> dict[str, float]:
    folder = Path(tempfile.mkdtemp(prefix="mercato-bench-model-")) / "model"
    subprocess.run([sys.executable, "-c", _MODEL % (SIZE, layers), str(folder)], check=True, capture_output=True)
    bare, one, ours = 0.0, 0.0, 0.0
    with Site(serve=False) as site:
        site.manage("add_model", "bench/dear", "--task", "tensor", "--engine", "tensorflow", "--source", str(folder))
        for _ in range(2):
            loop = _LOOP.format(root=str(ROOT), size=SIZE)
            done = subprocess.run(
                [*pinned(0), sys.executable, "-c", loop, str(folder)], capture_output=True, text=True, check=True
            )
            said = json.loads(done.stdout.strip().splitlines()[-1])
            bare, one = max(bare, said["batch"]), max(one, said["one"])
            web = site.start()
            header = {"name": said["name"], "shape": [1, SIZE], "datatype": "FP32", "data": [0] * SIZE}
            body, path = {"inputs": [header]}, "/v2/models/bench/dear/infer"
            site.call(path, body)
            wrk(site.url + path, body, site.key, 64, 2)
            ours = max(ours, wrk(site.url + path, body, site.key, 64, SECONDS)["rps"])
            web.stop()
    return {
        "ms_a_row_alone": 1000 / one,
        "ms_a_row_in_32": 1000 / bare,
        "bare_rows_a_second": bare,
        "our_rows_a_second": ours,
        "share": ours / bare,
    }
