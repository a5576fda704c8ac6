"""Tasks on images."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from marketplace.errors import InputInvalid
from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task

IMAGE_MAX_BYTES = 8 * 1024 * 1024
IMAGE_MAX_PIXELS = 16_000_000
IMAGE_MAX_SIDE = 512  # larger ones are scaled down before the model sees them
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
POINTER = "/input/image"


def decode(text: str, channels: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Pixels (height, width, channels) from 0 to 1 of a data URL or base64. Raises InputInvalid."""
    if text.startswith("data:"):
        head, _, text = text.partition(",")
        if ";base64" not in head:
            raise InputInvalid("Give the data URL's content in base64.", param=POINTER)
    if len(text) > IMAGE_MAX_BYTES * 4 // 3 + 4:
        raise InputInvalid(f"The image is larger than {IMAGE_MAX_BYTES // 1024**2} MB.", param=POINTER)
    try:
        data = base64.b64decode(text, validate=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            if image.width * image.height > IMAGE_MAX_PIXELS:
                raise InputInvalid(
                    f"The image has more than {IMAGE_MAX_PIXELS // 10**6} million pixels.", param=POINTER
                )
            if image.mode in ("RGBA", "LA", "P"):
                # What shows through is white paper.
                rgba = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
            pixels = image.convert("L" if channels == 1 else "RGB")
    except (binascii.Error, ValueError) as error:
        raise InputInvalid("This is not base64: encode the image file's bytes.", param=POINTER) from error
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning, OSError) as error:
        raise InputInvalid(f"This is not an image of a known format ({', '.join(FORMATS)}).", param=POINTER) from error
    pixels.thumbnail((IMAGE_MAX_SIDE, IMAGE_MAX_SIDE))
    array = np.asarray(pixels, np.float32) / 255
    return array[..., None] if channels == 1 else array


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
        pixels = decode(given["image"], tensor.shape[-1] or 1)
        height, width = tensor.shape[1], tensor.shape[2]
        if height and width and pixels.shape[:2] != (height, width):
            picture = Image.fromarray((pixels[..., 0] if pixels.shape[-1] == 1 else pixels * 1.0).astype(np.float32))
            pixels = np.asarray(picture.resize((width, height), Image.Resampling.BOX), np.float32).reshape(
                height, width, -1
            )
        return {tensor.name: pixels[None]}

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
