"""Tasks on text."""

from __future__ import annotations

from typing import Any

import numpy as np

from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task

MOST_CHARACTERS = 20_000


class Generation:
    """A prompt → its continuation, token by token."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "prompt": {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS},
                "max_tokens": {"type": "integer", "minimum": 1, "maximum": spec.max_output_tokens},
                "temperature": {"type": "number", "minimum": 0, "maximum": 2},
                "top_k": {"type": "integer", "minimum": 1, "maximum": 1000},
                "seed": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
                "stop": {"type": "string", "minLength": 1, "maxLength": 100},
            },
            "required": ["prompt"],
            "additionalProperties": False,
        }

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"text": {"type": "string"}, "finish_reason": {"enum": ["stop", "length"]}},
            "required": ["text", "finish_reason"],
            "additionalProperties": False,
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        return {"text": np.asarray([given["prompt"]], object)}

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        return {"text": "".join(outputs["text"])}

    def units(self, given: Json) -> dict[str, int]:
        return {}


TEXT_GENERATION = Task(
    name="text-generation",
    title="Text generation",
    summary="Continues a text.",
    modality="language",
    codec=Generation(),
    widget="text",
    metrics=(
        Metric("bits_per_character", "Bits per character", higher_is_better=False),
        Metric("accuracy", "Next-character accuracy", percent=True),
    ),
    protocols=("predictions", "openai"),
    streams=True,
    default_tokens=200,
    examples=({"prompt": "The ", "max_tokens": 120},),
)
