"""The enlarger, called over the API: pictures of any shape come out twice as large and like themselves."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.serving import Installation
from tests.fixtures.training import Trained

pytestmark = pytest.mark.slow
PATH = "/v1/models/mercato/enlarger/predictions"


@pytest.fixture
def enlarge(installation: Installation, served_starter: Callable[[str], str]) -> Callable[..., Any]:
    served_starter("enlarger")

    def one(image: Image.Image) -> tuple[int, Any, dict[str, str]]:
        file = io.BytesIO()
        image.save(file, "PNG")
        return installation.call(PATH, {"input": {"image": base64.b64encode(file.getvalue()).decode()}})

    return one


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (120, 80)], ids=str)
def test_a_picture_of_any_shape_comes_out_twice_as_large(enlarge: Callable[..., Any], size: tuple[int, int]) -> None:
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    waves = (128 + 90 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)
    given = Image.fromarray(np.stack([waves, 255 - waves, waves // 2], -1))
    status, answer, headers = enlarge(given)
    assert status == 200, answer
    output = answer["output"]
    assert (output["width"], output["height"]) == (2 * size[0], 2 * size[1])
    after = Image.open(io.BytesIO(base64.b64decode(output["image"])))
    back = np.asarray(after.resize(size, Image.Resampling.BOX), np.float32)
    assert np.abs(back - np.asarray(given, np.float32)).mean() < 6
    assert headers["x-mercato-cost"] == "0.001"


def test_one_that_is_too_large_costs_nothing(enlarge: Callable[..., Any]) -> None:
    status, answer, _ = enlarge(Image.new("L", (600, 10)))
    assert status == 422
    assert "512 pixels" in answer["error"]["message"]
    assert answer["error"]["param"] == "/input/image"


def test_its_example_is_answered(
    installation: Installation, served_starter: Callable[[str], str], trained_starter: Callable[[str], Trained]
) -> None:
    served_starter("enlarger")
    example = trained_starter("enlarger").outcome["spec"]["examples"][0]
    status, answer, _ = installation.call(PATH, {"input": example})
    assert status == 200
    assert answer["output"]["width"] == 128
