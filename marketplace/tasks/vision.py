"""Tasks that tell what images show."""

from __future__ import annotations

from typing import Any

from marketplace.tasks.pictures import arrays_of, given_image
from marketplace.tasks.scores import ranked, scored
from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task
from marketplace.tasks.task import said as _


class Classification:
    """An image → one of the labels, with the probability of each."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"image": given_image()},
            "required": ["image"],
            "additionalProperties": False,
        }

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return scored(spec.labels)

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        return arrays_of(given["image"], spec)

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        return ranked(next(iter(outputs.values()))[0], spec.labels)

    def units(self, given: Json) -> dict[str, int]:
        return {"image": 1}


IMAGE_CLASSIFICATION = Task(
    name="image-classification",
    title=_("Image classification"),
    summary=_("Says what an image shows."),
    modality="vision",
    codec=Classification(),
    widget="image",
    row_unit="image",
    metrics=(
        Metric("accuracy", _("Accuracy"), percent=True),
        Metric("log_loss", _("Log loss"), higher_is_better=False),
    ),
    also=(
        "object recognition",
        "image recognition",
        "picture recognition",
        "tagging",
        "photo classifier",
        "handwriting",
        "OCR",
        "图像识别",
        "图片识别",
    ),
)
