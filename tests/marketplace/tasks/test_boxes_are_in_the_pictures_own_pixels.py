"""Boxes that a model gives in its own small square come back in pixels of the picture, whatever its shape and size."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec, Tensor

SIDE = 64
CODEC = registry.get("object-detection").codec
SPEC = ModelSpec((Tensor("image", "float32", (None, SIDE, SIDE, 1)),), labels=("cat", "dog"))


def encoded(image: Image.Image, **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, "JPEG" if options else "PNG", **options)
    return base64.b64encode(file.getvalue()).decode()


def answer(given: Any, *found: tuple[list[float], float, int]) -> list[Any]:
    outputs = {
        "boxes": np.array([[box for box, _, _ in found]], np.float32).reshape(1, -1, 4),
        "scores": np.array([[score for _, score, _ in found]], np.float32),
        "labels": np.array([[label for _, _, label in found]], np.int32),
    }
    objects: list[Any] = CODEC.present(given, outputs, SPEC)["objects"]
    return objects


@pytest.mark.parametrize("size", [(64, 64), (640, 480), (300, 900), (7, 5), (2000, 100), (1, 700), (1, 1)], ids=str)
def test_a_box_goes_back_to_where_the_thing_is(size: tuple[int, int]) -> None:
    # A white thing on black, in the lower right quarter: the model sees it, and frames it exactly.
    image = Image.new("L", size)
    image.paste(255, (size[0] // 2, size[1] // 2, *size))
    given = {"image": encoded(image)}
    seen = CODEC.prepare(given, SPEC)["image"][0, ..., 0] > 0.5
    assert seen.shape == (SIDE, SIDE)
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    box = [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
    (thing,) = answer(given, ([float(edge) for edge in box], 0.9, 1))
    assert thing["label"] == "dog"
    pixel = max(1.0, max(size) / SIDE)  # of the model's
    expected = [size[0] // 2, size[1] // 2, size[0] - size[0] // 2, size[1] - size[1] // 2]
    assert list(thing["box"].values()) == pytest.approx(expected, abs=1.6 * pixel)
    assert thing["box"]["x"] + thing["box"]["width"] <= size[0] + 0.1
    assert thing["box"]["y"] + thing["box"]["height"] <= size[1] + 0.1


def test_a_photo_is_upright_before_it_is_measured() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # turned right by a quarter
    given = {"image": encoded(Image.new("RGB", (40, 20)), exif=turned)}
    (thing,) = answer(given, ([0, 0, SIDE, SIDE], 0.9, 0))
    assert thing["box"] == {"x": 0, "y": 0, "width": 20, "height": 40}


def test_the_surest_come_first_and_faint_ones_when_asked() -> None:
    given = {"image": encoded(Image.new("L", (64, 64)))}
    found = [([0.0, 0, 9, 9], 0.45, 0), ([9.0, 9, 9, 9], 0.95, 1), ([30.0, 30, 9, 9], 0.2, 0), ([0.0, 0, 0, 0], 0.0, 0)]
    scores = lambda more: [round(one["score"], 2) for one in answer({**given, **more}, *found)]  # noqa: E731
    assert scores({}) == [0.95, 0.45]
    assert scores({"threshold": 0.1}) == [0.95, 0.45, 0.2]
    assert scores({"threshold": 0}) == [0.95, 0.45, 0.2], "a score of nothing is no box"
    assert scores({"threshold": 1}) == []
