"""A picture of any form and size up to the limit comes out better; a larger one is refused, not made smaller in silence."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from marketplace.errors import InputInvalid
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec, Tensor

CODEC = registry.get("image-enhancement").codec
SPEC = ModelSpec((Tensor("image", "float32", (1, None, None, 3)),))


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize("size", [(1, 1), (512, 1), (3, 512), (512, 512)], ids=str)
def test_every_size_up_to_the_limit_is_given_as_it_is(size: tuple[int, int]) -> None:
    arrays = CODEC.prepare({"image": encoded(Image.new("RGB", size, (255, 0, 51)))}, SPEC)
    assert arrays["image"].shape == (1, size[1], size[0], 3)
    np.testing.assert_allclose(arrays["image"][0, 0, 0], [1, 0, 0.2])


@pytest.mark.parametrize("size", [(513, 2), (2, 513), (3000, 2000)], ids=str)
def test_a_larger_one_is_refused_with_the_limit(size: tuple[int, int]) -> None:
    with pytest.raises(InputInvalid, match="512 pixels") as caught:
        CODEC.prepare({"image": encoded(Image.new("L", size))}, SPEC)
    assert caught.value.param == "/input/image"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_pictures_of_every_mode_have_three_colours(mode: str) -> None:
    image = encoded(Image.new(mode, (5, 4)), "JPEG" if mode == "CMYK" else "PNG")
    assert CODEC.prepare({"image": image}, SPEC)["image"].shape == (1, 4, 5, 3)


def test_what_comes_out_of_range_is_black_or_white() -> None:
    answer = CODEC.present({}, {"enhanced": np.array([[[[-0.4] * 3, [1.3] * 3, [0.5] * 3]]], np.float32)}, SPEC)
    assert (answer["width"], answer["height"]) == (3, 1)
    picture = Image.open(io.BytesIO(base64.b64decode(answer["image"])))
    assert np.asarray(picture)[0, :, 0].tolist() == [0, 255, 128]
