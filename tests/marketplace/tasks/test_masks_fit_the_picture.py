"""A mask has the picture's own shape and size, its parts lie where the things are, and its palette is the legend's."""

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
CODEC = registry.get("image-segmentation").codec
SPEC = ModelSpec((Tensor("image", "float32", (None, SIDE, SIDE, 3)),), labels=("ground", "cat", "dog"))


def encoded(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def segmented(image: Image.Image) -> tuple[Any, Image.Image]:
    """The answer, and its mask, of a model for which what is white is a dog."""
    given = {"image": encoded(image)}
    white = CODEC.prepare(given, SPEC)["image"][..., :1] > 0.5
    answer = CODEC.present(given, {"probabilities": np.concatenate([~white, white * 0, white], -1)}, SPEC)
    return answer, Image.open(io.BytesIO(base64.b64decode(answer["mask"])))


@pytest.mark.parametrize("size", [(64, 64), (500, 300), (90, 400), (5, 3), (1, 300), (1, 1)], ids=str)
def test_parts_lie_where_the_things_are(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size)
    image.paste((255, 255, 255), (size[0] // 2, 0, *size))
    answer, mask = segmented(image)
    assert (answer["width"], answer["height"]) == mask.size == size
    assert mask.mode == "P"
    numbers = np.asarray(mask)
    right = np.zeros(size[::-1], np.uint8)
    right[:, size[0] // 2 :] = 2
    assert (numbers == right).mean() > 0.9
    shares = {one["label"]: one["share"] for one in answer["segments"]}
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert shares["dog"] == pytest.approx((numbers == 2).mean(), abs=1e-6)
    assert "cat" not in shares, "what is not there is not told"


def test_the_legend_has_the_colours_of_the_mask() -> None:
    image = Image.new("RGB", (64, 64))
    image.paste((255, 255, 255), (0, 0, 64, 16))
    answer, mask = segmented(image)
    colours = {one["label"]: one["color"] for one in answer["segments"]}
    red, green, blue = mask.convert("RGB").getpixel((32, 2))  # type: ignore[misc] # RGB
    assert colours["dog"] == f"#{red:02x}{green:02x}{blue:02x}"
    assert colours["ground"] == "#000000"
    assert [one["label"] for one in answer["segments"]] == ["ground", "dog"], "the largest first"


def test_a_large_picture_has_a_mask_of_at_most_512_pixels() -> None:
    answer, mask = segmented(Image.new("L", (3000, 1500), 255))
    assert mask.size == (512, 256)
    assert answer["segments"][0] == {"label": "dog", "share": 1.0, "color": answer["segments"][0]["color"]}
