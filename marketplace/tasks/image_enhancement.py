"""An image → the same image, better: larger, sharper or cleaner."""

from __future__ import annotations

from typing import Any

import numpy as np

from marketplace.tasks.pictures import PNG, decode, given_image, png
from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task
from marketplace.tasks.task import said as _

MOST_SIDE = 512  # of an image that is given: what comes out may be several times as large


class Enhancement:
    """A picture of any size up to MOST_SIDE → a picture. It is given as (1, height, width, 3) from 0 to 1."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"image": given_image(f", at most {MOST_SIDE} pixels wide and high")},
            "required": ["image"],
            "additionalProperties": False,
        }

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        side = {"type": "integer", "minimum": 1}
        return {
            "type": "object",
            "properties": {"image": PNG, "width": side, "height": side},
            "required": ["image", "width", "height"],
            "additionalProperties": False,
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        picture = np.asarray(decode(given["image"], MOST_SIDE), np.float32)
        return {spec.inputs[0].name: picture[None] / np.float32(255)}

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        picture = (next(iter(outputs.values()))[0].clip(0, 1) * 255).round().astype(np.uint8)
        height, width = picture.shape[:2]
        return {"image": png(picture), "width": width, "height": height}

    def units(self, given: Json) -> dict[str, int]:
        return {"image": 1}


IMAGE_ENHANCEMENT = Task(
    name="image-enhancement",
    title=_("Image enhancement"),
    summary=_("Makes an image larger, sharper or cleaner."),
    modality="vision",
    codec=Enhancement(),
    widget="compare",
    row_unit="image",
    metrics=(
        Metric("psnr", _("Peak signal-to-noise ratio (dB)")),
        Metric("ssim", _("Structural similarity (SSIM)")),
    ),
    also=(
        "super-resolution",
        "superresolution",
        "upscaling",
        "upscaler",
        "denoising",
        "restoration",
        "sharpening",
        "超分辨率",
        "去噪",
        "修复",
    ),
)
