"""The digits model, as it is served, reads what people draw, scan and send; it learnt from 8×8 scans."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from PIL import Image

from marketplace.training.recipes.datasets.digits import digits
from tests.fixtures.training import Trained
from tests.house.tree import ROOT
from tests.marketplace.training.recipes.pens import WAYS, drawn, printed

pytestmark = pytest.mark.slow
# TensorFlow stays out of the process of the tests.
READ = """
import json, sys, tensorflow as tf
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
Case = tuple[int, Image.Image]


def hits(run: Trained, cases: list[Case]) -> tuple[float, list[str]]:
    """The share that is read as it was meant, and what was misread."""
    lines = []
    for _, image in cases:
        file = io.BytesIO()
        image.save(file, "PNG")
        lines.append(base64.b64encode(file.getvalue()).decode())
    done = subprocess.run(
        [sys.executable, "-c", READ, str(run.folder), json.dumps(run.outcome["spec"])],
        input="\n".join(lines), cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    wrong = [
        f"{digit} as {answer}"
        for (digit, _), answer in zip(cases, done.stdout.split(), strict=True)
        if answer != str(digit)
    ]
    return 1 - len(wrong) / len(cases), wrong


def in_every_colour(images: Callable[[int, int, bool, Random], list[Case]], sizes: tuple[int, ...]) -> list[Case]:
    """What `images` gives of each digit, at each size, dark on light and light on dark."""
    random = Random(5)
    return [
        case for digit in range(10) for size in sizes for dark in (True, False) for case in images(digit, size, dark, random)
    ]  # fmt: skip


def test_drawings_by_pens_of_any_thickness(trained_starter: Callable[[str], Trained]) -> None:
    cases = in_every_colour(
        lambda digit, size, dark, random: [(digit, drawn(way, size, dark, random)) for way in WAYS[digit]],
        (32, 64, 280, 280, 280, 900),
    )
    share, wrong = hits(trained_starter("digits"), cases)
    assert share >= 0.85, wrong


def test_print(trained_starter: Callable[[str], Trained]) -> None:
    cases = in_every_colour(
        lambda digit, size, dark, random: [(digit, printed(digit, size, dark, random))], (64, 280, 280, 280)
    )
    share, wrong = hits(trained_starter("digits"), cases)
    assert share >= 0.7, wrong


def test_scans_of_eight_by_eight_pixels_of_either_polarity(trained_starter: Callable[[str], Trained]) -> None:
    run = trained_starter("digits")
    test = digits(run.outcome["facts"]["seed"]).test
    scans = [(int(digit), np.uint8(255 * scan[..., 0])) for digit, scan in zip(test.y, test.x, strict=True)]
    cases = [(digit, Image.fromarray(255 - scan if at % 2 else scan)) for at, (digit, scan) in enumerate(scans)]
    share, wrong = hits(run, cases)
    assert share >= 0.95, wrong
