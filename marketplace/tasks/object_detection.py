"""An image → what is on it, and where."""

from __future__ import annotations

from typing import Any

import numpy as np

from marketplace.tasks.pictures import arrays_of, given_image, placed, size_of
from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task
from marketplace.tasks.task import said as _

THRESHOLD = 0.3  # where the caller names none
SIDES = ("x", "y", "width", "height")


class Detection:
    """A picture → boxes with labels, the surest first.

    A model is given pictures (n, height, width, 1 or 3) from 0 to 1, proportions kept, and gives `boxes` (n, m, 4) as left,
    top, width and height in its own pixels, `scores` (n, m) and `labels` (n, m), numbers; a score of 0 is no box.
    """

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "image": given_image(),
                "threshold": {
                    "type": "number",
                    "minimum": 0,
                    "maximum": 1,
                    "description": f"The least score of what is told, {THRESHOLD} unless said otherwise.",
                },
            },
            "required": ["image"],
            "additionalProperties": False,
        }

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        number = {"type": "number", "minimum": 0}
        thing = {
            "label": {"enum": list(spec.labels)} if spec.labels else {"type": "string"},
            "score": {"type": "number", "minimum": 0, "maximum": 1},
            "box": {
                "description": "In pixels of the image as it was given, upright, from its upper left corner.",
                "type": "object",
                "properties": dict.fromkeys(SIDES, number),
                "required": list(SIDES),
                "additionalProperties": False,
            },
        }
        one = {"type": "object", "properties": thing, "required": list(thing), "additionalProperties": False}
        return {
            "type": "object",
            "properties": {"objects": {"type": "array", "items": one}},
            "required": ["objects"],
            "additionalProperties": False,
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        return arrays_of(given["image"], spec)

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        size = size_of(given["image"])
        _, height, width, _ = spec.inputs[0].shape
        left, top, right, bottom = placed(size, (width or 1, height or 1))
        corner, scale = np.array([left, top]), size / np.array([right - left, bottom - top])
        least = max(given.get("threshold", THRESHOLD), 1e-6)
        found = []
        for box, score, label in zip(outputs["boxes"][0], outputs["scores"][0], outputs["labels"][0], strict=True):
            if score < least:
                continue
            low, high = (((edge - corner) * scale).clip(0, size) for edge in (box[:2], box[:2] + box[2:]))
            sides = [round(float(side), 1) for side in (*low, *(high - low))]
            found.append(
                {
                    "label": spec.labels[label] if label < len(spec.labels) else str(label),
                    "score": round(float(score), 6),
                    "box": dict(zip(SIDES, sides, strict=True)),
                }
            )
        return {"objects": sorted(found, key=lambda one: -one["score"])}

    def units(self, given: Json) -> dict[str, int]:
        return {"image": 1}


OBJECT_DETECTION = Task(
    name="object-detection",
    title=_("Object detection"),
    summary=_("Finds what is on an image, and where."),
    modality="vision",
    codec=Detection(),
    widget="boxes",
    row_unit="image",
    metrics=(Metric("map_50", _("Mean average precision (IoU 0.5)"), percent=True),),
    also=(
        "object localization",
        "bounding boxes",
        "counting",
        "detector",
        "YOLO",
        "surveillance",
        "目标检测",
        "物体识别",
    ),
)
