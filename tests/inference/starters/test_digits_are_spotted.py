"""The spotter, called over the API, finds digits that pens drew on pictures of any shape, where they are."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from marketplace.training.recipes.average_precision import iou
from tests.fixtures.serving import Installation
from tests.fixtures.training import Trained
from tests.marketplace.training.recipes.pens import WAYS, drawn

pytestmark = pytest.mark.slow
NAME = "mercato/spotter"
PATH = f"/v1/models/{NAME}/predictions"


@pytest.fixture
def spot(installation: Installation, served_starter: Callable[[str], str]) -> Callable[..., Any]:
    served_starter("spotter")

    def one(image: Image.Image, **more: Any) -> list[Any]:
        file = io.BytesIO()
        image.save(file, "PNG")
        given = {"image": base64.b64encode(file.getvalue()).decode(), **more}
        status, answer, headers = installation.call(PATH, {"input": given})
        assert status == 200, answer
        assert headers["x-mercato-cost"] == "0.0005"
        objects: list[Any] = answer["output"]["objects"]
        return objects

    return one


def test_digits_are_found_where_pens_drew_them(spot: Callable[..., Any]) -> None:
    random, places, hits, named = Random(3), 0, 0, 0
    for size in ((360, 240), (240, 360), (300, 300)) * 4:
        paper = Image.new("L", size, 240)
        truth = []
        for left, top in ((0, 0), (size[0] - 120, size[1] - 120)):
            digit = random.randrange(10)
            ink = drawn(random.choice(WAYS[digit]), 120, True, random)
            paper.paste(ink.point(lambda level: min(level, 240)), (left, top))
            dark = np.asarray(ink) < 128
            rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
            truth.append((digit, [left + columns[0], top + rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1]))
        found = spot(paper)
        for digit, box in truth:
            places += 1
            near = [
                one for one in found if iou(np.array(box, np.float32), np.array([list(one["box"].values())]))[0] > 0.4
            ]
            hits += bool(near)
            named += any(one["label"] == str(digit) for one in near)
    assert hits >= 0.6 * places, (hits, places)
    assert named >= 0.4 * places, (named, places)


def test_an_empty_page_has_none(spot: Callable[..., Any]) -> None:
    assert spot(Image.new("L", (200, 300), 250), threshold=0.5) == []


def test_a_higher_threshold_tells_less(
    spot: Callable[..., Any], installation: Installation, trained_starter: Callable[[str], Trained]
) -> None:
    example = trained_starter("spotter").outcome["spec"]["examples"][0]
    counts = []
    for threshold in (0.05, 0.3, 1):
        _, answer, _ = installation.call(PATH, {"input": {**example, "threshold": threshold}})
        counts.append(len(answer["output"]["objects"]))
    assert counts[0] >= counts[1] >= 1 > counts[2]


def test_raw_tensors_are_answered_too(installation: Installation, served_starter: Callable[[str], str]) -> None:
    served_starter("spotter")
    data = [{"name": "image", "shape": [2, 64, 64, 1], "datatype": "FP32", "data": [0.5] * 2 * 64 * 64}]
    status, answer, headers = installation.call(f"/v2/models/{NAME}/infer", {"inputs": data})
    assert status == 200, answer
    assert {one["name"]: one["shape"] for one in answer["outputs"]} == {
        "boxes": [2, 20, 4], "scores": [2, 20], "labels": [2, 20],
    }  # fmt: skip
    assert headers["x-mercato-cost"] == "0.001", "two rows are two images"
