"""Tasks on images."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from marketplace.errors import InputInvalid
from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task

IMAGE_MAX_BYTES = 8 * 1024 * 1024
IMAGE_MAX_PIXELS = 16_000_000
IMAGE_MAX_SIDE = 512  # larger ones are scaled down before the model sees them
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
POINTER = "/input/image"


def decode(text: str) -> Image.Image:
    """The picture in a data URL or base64, at most IMAGE_MAX_SIDE wide and high. Raises InputInvalid."""
    if text.startswith("data:"):
        head, _, text = text.partition(",")
        if ";base64" not in head:
            raise InputInvalid("Give the data URL's content in base64.", param=POINTER)
    if len(text) > IMAGE_MAX_BYTES * 4 // 3 + 4:
        raise InputInvalid(f"The image is larger than {IMAGE_MAX_BYTES // 1024**2} MB.", param=POINTER)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputInvalid("This is not base64: encode the image file's bytes.", param=POINTER) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
            if image.width * image.height > IMAGE_MAX_PIXELS:
                raise InputInvalid(
                    f"The image has more than {IMAGE_MAX_PIXELS // 10**6} million pixels.", param=POINTER
                )
            if image.mode in ("RGBA", "LA", "P"):
                # What shows through is white paper.
                rgba = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
            image.thumbnail((IMAGE_MAX_SIDE, IMAGE_MAX_SIDE))
            return image.convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning, OSError) as error:
        raise InputInvalid(f"This is not an image of a known format ({', '.join(FORMATS)}).", param=POINTER) from error
    except (ValueError, SyntaxError) as error:  # Pillow's plugins raise these for broken files
        raise InputInvalid("This image file is broken.", param=POINTER) from error


def pixels(image: Image.Image, height: int, width: int, channels: int) -> NDArray[np.float32]:
    """The picture as (height, width, channels) from 0 to 1, its proportions kept, the margin as its border is."""
    picture = image.convert("L") if channels == 1 else image
    border = picture.resize((1, 1), box=(0, 0, 1, 1)).getpixel((0, 0))
    fitted = ImageOps.pad(picture, (width, height), Image.Resampling.BICUBIC, color=border)  # type: ignore[arg-type] # an int for L
    return np.asarray(fitted, np.float32).reshape(height, width, channels) / np.float32(255)


class Classification:
    """An image → one of the labels, with the probability of each."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "image": {
                    "type": "string",
                    "minLength": 1,
                    "description": "A data URL or base64 of a PNG, JPEG, WebP, GIF or BMP file of at most 8 MB.",
                }
            },
            "required": ["image"],
            "additionalProperties": False,
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        tensor = spec.inputs[0]
        _, height, width, channels = tensor.shape
        if not (height and width and channels):
            raise InputInvalid("This model takes no images: its input has no fixed size.")
        return {tensor.name: pixels(decode(given["image"]), height, width, channels)[None]}

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        row = next(iter(outputs.values()))[0]
        labels = spec.labels or tuple(str(i) for i in range(len(row)))
        order = np.argsort(row)[::-1][:20]
        scores = [{"label": labels[i], "score": round(float(row[i]), 6)} for i in order]
        return {**scores[0], "scores": scores}

    def units(self, given: Json) -> dict[str, int]:
        return {"image": 1}


IMAGE_CLASSIFICATION = Task(
    name="image-classification",
    title="Image classification",
    summary="Says what an image shows.",
    modality="vision",
    codec=Classification(),
    widget="image",
    metrics=(Metric("accuracy", "Accuracy", percent=True), Metric("log_loss", "Log loss", higher_is_better=False)),
)
