"""A prompt → images."""

from __future__ import annotations

from typing import Any

from marketplace.errors import InputInvalid
from marketplace.tasks.task import Arrays, Json, ModelSpec, Task


class Painting:
    """A prompt → images as base64. Further fields are the upstream's."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        prompt: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 4_000}
        if spec.labels:  # a model that knows some subjects only
            prompt = {"enum": list(spec.labels)}
        return {
            "type": "object",
            "properties": {
                "prompt": prompt,
                "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 10},
                "size": {"type": ["string", "null"], "maxLength": 20},
                "seed": {"type": ["integer", "null"]},
                "quality": {"type": ["string", "null"], "maxLength": 20},
                "style": {"type": ["string", "null"], "maxLength": 40},
                "background": {"type": ["string", "null"], "maxLength": 20},
                "output_format": {"type": ["string", "null"], "maxLength": 20},
            },
            "required": ["prompt"],
        }

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        image = {"type": "string", "contentEncoding": "base64"}
        return {
            "type": "object",
            "properties": {"images": {"type": "array", "items": image, "minItems": 1}},
            "required": ["images"],
            "additionalProperties": False,
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        raise InputInvalid("This model is reached through an upstream only.")

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        return outputs

    def units(self, given: Json) -> dict[str, int]:
        return {"image": given.get("n") or 1}


IMAGE_GENERATION = Task(
    name="image-generation",
    title="Image generation",
    summary="Makes images from a description.",
    modality="vision",
    codec=Painting(),
    widget="json",
    row_unit="image",
    protocols=("openai", "predictions"),
    examples=({"prompt": "A lighthouse at dusk, oil on canvas."},),
)
