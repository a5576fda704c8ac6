"""An image → which of its pixels belong to what."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from marketplace.tasks.pictures import IMAGE_MAX_SIDE, PNG, arrays_of, given_image, placed, png, size_of
from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task
from marketplace.tasks.task import said as _

# Okabe & Ito 2008: told apart by people of every colour vision. The first is the ground's.
COLOURS = (
    (0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167), (0, 114, 178), (213, 94, 0), (240, 228, 66),
)  # fmt: skip


class Segmentation:
    """A picture → a mask of class numbers.

    A model is given pictures (n, height, width, 1 or 3) from 0 to 1, proportions kept, and gives the probability of each
    label at each pixel (n, height, width, labels); the first label is the ground.
    """

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"image": given_image()},
            "required": ["image"],
            "additionalProperties": False,
        }

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        side = {"type": "integer", "minimum": 1}
        segment = {
            "label": {"enum": list(spec.labels)} if spec.labels else {"type": "string"},
            "share": {"description": "Of the picture's pixels.", "type": "number", "minimum": 0, "maximum": 1},
            "color": {"description": "In the mask's palette.", "type": "string", "pattern": "^#[0-9a-f]{6}$"},
        }
        one = {"type": "object", "properties": segment, "required": list(segment), "additionalProperties": False}
        about = f"The number of each pixel's label, as a palette's; a side of more than {IMAGE_MAX_SIDE} is scaled down to it."
        return {
            "type": "object",
            "properties": {
                "mask": {**PNG, "description": about},
                "width": side,
                "height": side,
                "segments": {"type": "array", "items": one, "minItems": 1},
            },
            "required": ["mask", "width", "height", "segments"],
            "additionalProperties": False,
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        return arrays_of(given["image"], spec)

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        size = size_of(given["image"])
        shrink = min(1.0, IMAGE_MAX_SIDE / max(size))
        width, height = (max(round(side * shrink), 1) for side in size)
        chances = next(iter(outputs.values()))[0].astype(np.float32)
        inner = placed(size, (chances.shape[1], chances.shape[0]))
        kinds = chances.shape[-1]
        # Probabilities are enlarged, not numbers: so the parts have smooth edges.
        large = [
            np.asarray(Image.fromarray(chances[..., kind]).resize((width, height), Image.Resampling.BILINEAR, inner))
            for kind in range(kinds)
        ]
        mask = np.argmax(large, 0).astype(np.uint8)
        image = Image.fromarray(mask, "P")
        image.putpalette([level for kind in range(kinds) for level in COLOURS[kind % len(COLOURS)]])
        counts = np.bincount(mask.ravel(), minlength=kinds)
        segments = [
            {
                "label": spec.labels[kind] if kind < len(spec.labels) else str(kind),
                "share": round(float(counts[kind] / mask.size), 6),
                "color": "#{:02x}{:02x}{:02x}".format(*COLOURS[kind % len(COLOURS)]),
            }
            for kind in np.argsort(-counts, kind="stable")
            if counts[kind]
        ]
        return {"mask": png(image), "width": width, "height": height, "segments": segments}

    def units(self, given: Json) -> dict[str, int]:
        return {"image": 1}


IMAGE_SEGMENTATION = Task(
    name="image-segmentation",
    title=_("Scene segmentation"),
    summary=_("Says of each pixel of an image what it belongs to."),
    modality="vision",
    codec=Segmentation(),
    widget="mask",
    row_unit="image",
    metrics=(
        Metric("mean_iou", _("Mean intersection over union"), percent=True),
        Metric("pixel_accuracy", _("Pixel accuracy"), percent=True),
    ),
    also=(
        "semantic segmentation",
        "scene parsing",
        "masks",
        "background removal",
        "cut out",
        "pixel labelling",
        "抠图",
        "语义分割",
    ),
)
