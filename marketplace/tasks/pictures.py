"""Pictures as callers send and get them: data URLs or base64 ↔ pixels."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from marketplace.errors import InputInvalid
from marketplace.tasks.task import Arrays, ModelSpec

IMAGE_MAX_BYTES = 8 * 1024 * 1024
IMAGE_MAX_PIXELS = 16_000_000
IMAGE_MAX_SIDE = 512  # larger ones are scaled down before the model sees them
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
POINTER = "/input/image"


def decode(text: str, largest: int | None = None) -> Image.Image:
    """The picture in a data URL or base64, upright, at most IMAGE_MAX_SIDE wide and high. Raises InputInvalid.

    One with a side of more than `largest` pixels is refused; without it, larger ones are scaled down.
    """
    image = _opened(text)
    if largest and max(image.size) > largest:
        raise InputInvalid(
            f"The image is wider or higher than {largest} pixels: cut it, or scale it down.", param=POINTER
        )
    try:
        return upright(image)
    except Exception as error:  # as below
        raise InputInvalid("This image file is broken: it cannot be read to its end.", param=POINTER) from error


def size_of(text: str) -> tuple[int, int]:
    """Width and height of the picture, upright, as its file has it. Raises InputInvalid."""
    image = _opened(text)
    width, height = image.size
    return (height, width) if image.getexif().get(ExifTags.Base.Orientation, 1) > 4 else (width, height)


def _opened(text: str) -> Image.Image:
    """The picture, whose header alone has been read. Raises InputInvalid."""
    if text.startswith("data:"):
        head, _, text = text.partition(",")
        if ";base64" not in head:
            raise InputInvalid("Give the data URL's content in base64.", param=POINTER)
    if len(text) > IMAGE_MAX_BYTES * 4 // 3 + 4:
        raise InputInvalid(f"The image is larger than {IMAGE_MAX_BYTES // 1024**2} MB.", param=POINTER)
    try:
        # `base64` in a shell breaks lines.
        data = base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise InputInvalid("This is not base64: encode the image file's bytes.", param=POINTER) from error
    image = opened(data)
    if image.width * image.height > IMAGE_MAX_PIXELS:
        raise InputInvalid(f"The image has more than {IMAGE_MAX_PIXELS // 10**6} million pixels.", param=POINTER)
    return image


def opened(data: bytes) -> Image.Image:
    """The picture in a file, whose header alone has been read: look at its size first. Raises InputInvalid."""
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:  # Pillow's plugins raise anything for broken files
        raise InputInvalid(f"This is not an image of a known format ({', '.join(FORMATS)}).", param=POINTER) from error


def upright(image: Image.Image) -> Image.Image:
    """The picture in RGB, scaled down, turned as its camera was held, on a ground that contrasts with it."""
    if image.mode.startswith("I"):  # 16 bits a pixel
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    image.thumbnail((IMAGE_MAX_SIDE, IMAGE_MAX_SIDE))
    image = ImageOps.exif_transpose(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    seen = np.asarray(rgba.getchannel("A"), np.float32)
    light = np.asarray(rgba.convert("RGB").convert("L"), np.float32)
    pale = (light * seen).sum() > 127 * seen.sum()
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "black" if pale else "white"), rgba).convert("RGB")


def pixels(image: Image.Image, height: int, width: int, channels: int) -> NDArray[np.float32]:
    """The picture as (height, width, channels) from 0 to 1, its proportions kept, the margin as its border is."""
    picture = image.convert("L") if channels == 1 else image
    border = picture.resize((1, 1), box=(0, 0, 1, 1)).getpixel((0, 0))
    left, top, right, bottom = placed(picture.size, (width, height))
    inner = picture.resize((max(round(right - left), 1), max(round(bottom - top), 1)), Image.Resampling.BICUBIC)
    whole = Image.new(picture.mode, (width, height), border)
    whole.paste(inner, (round(left), round(top)))
    return np.asarray(whole, np.float32).reshape(height, width, channels) / np.float32(255)


def placed(size: tuple[int, int], inner: tuple[int, int]) -> tuple[float, float, float, float]:
    """Where `pixels` puts a picture of this size in one of the size `inner`: left, top, right, bottom."""
    scale = min(inside / outside for inside, outside in zip(inner, size, strict=True))
    half, high = size[0] * scale / 2, size[1] * scale / 2
    x, y = inner[0] / 2, inner[1] / 2
    return max(x - half, 0), max(y - high, 0), min(x + half, inner[0]), min(y + high, inner[1])


def png(image: NDArray[np.uint8] | Image.Image) -> str:
    """A picture, grey (height, width) or in colour (height, width, 3), as the base64 of a PNG file."""
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def given_image(what: str = "") -> dict[str, Any]:
    """The JSON Schema of a picture that is given; `what` says more of it."""
    return {
        "type": "string",
        "minLength": 1,
        "description": f"A data URL or base64 of a PNG, JPEG, WebP, GIF or BMP file of at most 8 MB{what}.",
    }


# The JSON Schema of a picture that is answered.
PNG = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}


def arrays_of(image: str, spec: ModelSpec) -> Arrays:
    """The picture as the one input of a model that reads pictures of a fixed size. Raises InputInvalid."""
    tensor = spec.inputs[0]
    _, height, width, channels = tensor.shape
    if not (height and width and channels):
        raise InputInvalid("This model takes no images: its input has no fixed size.")
    return {tensor.name: pixels(decode(image), height, width, channels)[None]}
