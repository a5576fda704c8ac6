"""Texts → vectors that lie close where the texts mean alike."""

from __future__ import annotations

from typing import Any

from marketplace.errors import InputInvalid
from marketplace.tasks.task import Arrays, Json, ModelSpec, Task

MOST_TEXTS = 2_048  # as OpenAI takes them; its clients send them in hundreds
MOST_CHARACTERS = 100_000


class Embedding:
    """A list of texts → a list of vectors. Further fields are the upstream's; a model that runs here names them."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        text = {
            "description": "A text, or for upstreams its tokens.",
            "type": ["string", "array"],
            "minLength": 1,
            "maxLength": MOST_CHARACTERS,
            "items": {"type": "integer"},
            "minItems": 1,
            "maxItems": MOST_CHARACTERS,
        }
        return {
            "type": "object",
            "properties": {
                "texts": {"type": "array", "items": text, "minItems": 1, "maxItems": MOST_TEXTS},
                "dimensions": {"type": ["integer", "null"], "minimum": 1, "maximum": 65_536},
            },
            "required": ["texts"],
        }

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        vector = {"type": "array", "items": {"type": "number"}}
        return {
            "type": "object",
            "properties": {"embeddings": {"type": "array", "items": vector, "minItems": 1}},
            "required": ["embeddings"],
            "additionalProperties": False,
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        raise InputInvalid("This model reads tokens, which its engine makes.")

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        return outputs

    def units(self, given: Json) -> dict[str, int]:
        return {}


EMBEDDINGS = Task(
    name="embeddings",
    title="Embeddings",
    summary="Turns texts into vectors for search and comparison.",
    modality="language",
    codec=Embedding(),
    widget="json",
    protocols=("openai", "predictions"),
    examples=({"texts": ["A cat sat on the mat.", "Ein Hund lag vor der Tür."]},),
)
