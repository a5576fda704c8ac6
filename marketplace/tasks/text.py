"""Tasks on text."""

from __future__ import annotations

from typing import Any

import numpy as np

from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task
from marketplace.tasks.task import said as _


class Generation:
    """A prompt → its continuation, token by token. Further fields are the upstream's; one that runs here names them."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "prompt": {
                    "description": "A text. Upstreams also take texts, tokens, and lists of tokens.",
                    "type": ["string", "array"],
                    "minLength": 1,
                    "items": {"type": ["string", "integer", "array"]},
                    "minItems": 1,
                },
                "max_tokens": {"type": ["integer", "null"], "minimum": 0, "maximum": spec.max_output_tokens},
                "max_completion_tokens": {"type": ["integer", "null"], "minimum": 1, "maximum": spec.max_output_tokens},
                "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 2},
                "top_p": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
                "top_k": {"type": ["integer", "null"]},
                "seed": {"type": ["integer", "null"]},
                "stop": {"type": ["string", "array", "null"]},
                "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 128},
                "best_of": {"type": ["integer", "null"], "minimum": 1, "maximum": 128},
            },
            "required": ["prompt"],
        }

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "finish_reason": {"enum": ["stop", "length"]},
                "stop_sequence": {"description": "That of `stop` which ended the text.", "type": "string"},
                "choices": {"description": "All answers, as an upstream gave them.", "type": "array"},
            },
            "required": ["text", "finish_reason"],
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        return {"text": np.asarray([given["prompt"]], object)}

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        return {"text": "".join(outputs["text"])}

    def units(self, given: Json) -> dict[str, int]:
        return {}


TEXT_GENERATION = Task(
    name="text-generation",
    title=_("Text generation"),
    summary=_("Continues a text."),
    modality="language",
    codec=Generation(),
    widget="text",
    metrics=(
        Metric("bits_per_character", _("Bits per character"), higher_is_better=False),
        Metric("accuracy", _("Next-character accuracy"), percent=True),
    ),
    protocols=("predictions", "openai"),
    streams=True,
    default_tokens=200,
    examples=({"prompt": "The ", "max_tokens": 120},),
    also=(
        "completion",
        "autocomplete",
        "writing",
        "copywriting",
        "language model",
        "LLM",
        "GPT",
        "续写",
        "写作",
        "大模型",
    ),
)
