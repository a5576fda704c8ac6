"""Every starter is really trained, judged as it is served, and good enough."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from marketplace.training.starters import STARTERS, Starter, card
from tests.house.tree import ROOT

pytestmark = pytest.mark.slow
FLOORS = {"digits": ("accuracy", 0.97), "diagnosis": ("accuracy", 0.95)}


def trained(out: Path, recipe: str, dataset: str, params: dict[str, Any]) -> tuple[list[dict[str, Any]], float]:
    began = time.monotonic()
    command = ["--recipe", recipe, "--dataset", dataset, "--params", json.dumps(params), "--out", str(out)]
    # Its standard input stays open while we live: that is how it knows.
    with subprocess.Popen(
        [sys.executable, "-m", "marketplace.training.child", *command],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [json.loads(line) for line in process.stdout]
    return lines, time.monotonic() - began


@pytest.mark.parametrize("starter", STARTERS, ids=lambda s: s.name)
def test_a_starter_reaches_its_floor_in_time_and_says_how_it_gets_on(starter: Starter, tmp_path: Path) -> None:
    said, seconds = trained(tmp_path / "model", starter.recipe, starter.dataset, dict(starter.params))
    assert seconds < 90, "thirty seconds on a free core; this machine may be busy"
    outcome = said[-1]["outcome"]
    phases = [line["progress"]["phase"] for line in said[:-1]]
    assert [p for i, p in enumerate(phases) if i == 0 or phases[i - 1] != p] == [
        "starting", "loading data", "training", "exporting", "evaluating",
    ]  # fmt: skip
    ended = [line["progress"] for line in said[:-1] if line["progress"]["epoch_ended"]]
    assert ended[-1]["loss"] < ended[0]["loss"]
    metrics, baseline = outcome["metrics"], outcome["baseline"]
    if starter.name in FLOORS:
        name, floor = FLOORS[starter.name]
        assert metrics[name] >= floor > baseline[name]
    else:
        assert metrics["bits_per_character"] < 2.6 < baseline["bits_per_character"]
    assert f"{outcome['facts']['parameters']:,} parameters" in card(starter, outcome)
    assert (tmp_path / "model" / "saved_model.pb").is_file()


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    runs = [trained(tmp_path / str(n), "dense", "breast-cancer", {"epochs": 3, "seed": 5})[0][-1] for n in range(2)]
    assert runs[0]["outcome"]["metrics"] == runs[1]["outcome"]["metrics"]


@pytest.mark.parametrize(("recipe", "dataset"), [("alchemy", "digits"), ("dense", "moon"), ("recurrent", "digits")])
def test_what_cannot_be_trained_is_said_so(tmp_path: Path, recipe: str, dataset: str) -> None:
    said, _ = trained(tmp_path / "model", recipe, dataset, {})
    assert said[-1]["error"]["code"] == "bad_parameters"


def test_gradients_are_those_of_the_formula_by_hand() -> None:
    code = """
import numpy as np, tensorflow as tf
x, w, b, t = np.array([[.5, -1.2, 2.]]), np.array([[.3], [-.7], [.1]]), np.array([.2]), 1.
W, B = tf.Variable(w), tf.Variable(b)
with tf.GradientTape() as tape:
    y = tf.sigmoid(tf.constant(x) @ W + B)
    loss = tf.reduce_sum((y - t) ** 2)
dw, db = tape.gradient(loss, [W, B])
s = 1 / (1 + np.exp(-(x @ w + b)))
by_hand = 2 * (s - t) * s * (1 - s)
assert np.allclose(dw.numpy(), x.T @ by_hand, atol=1e-12) and np.allclose(db.numpy(), by_hand[0], atol=1e-12)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)


READ = """
import json, sys, numpy as np, tensorflow as tf
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec
spec = ModelSpec.from_json(json.loads(sys.argv[2]))
codec = registry.get("image-classification").codec
serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
for line in sys.stdin:
    arrays = codec.prepare({"image": line.strip()}, spec)
    outputs = {n: t.numpy() for n, t in serve(image=tf.constant(arrays["image"])).items()}
    print(codec.present({}, outputs, spec)["label"])
"""


def drawn(digit: int, size: int, offset: int, dark_on_light: bool) -> str:
    paper, ink = (255, 0) if dark_on_light else (0, 255)
    image = Image.new("L", (280, 280), paper)
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text(
        (60 + offset, 30 + offset), str(digit), fill=ink, font=font, stroke_width=size // 40, stroke_fill=ink
    )
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_digits_are_read_from_drawings_of_any_size_place_and_polarity(tmp_path: Path) -> None:
    said, _ = trained(tmp_path / "model", "convolution", "digits", {})
    cases = [
        (digit, drawn(digit, size, offset, dark))
        for digit in range(10)
        for size, offset, dark in ((90, 0, True), (160, 20, True), (200, -10, False), (60, 90, False))
    ]
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path / "model"), json.dumps(said[-1]["outcome"]["spec"])],
        input="\n".join(image for _, image in cases), cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    read = done.stdout.split()
    hits = sum(str(digit) == answer for (digit, _), answer in zip(cases, read, strict=True))
    assert hits >= 0.75 * len(cases), f"{hits} of {len(cases)}: {read}"
