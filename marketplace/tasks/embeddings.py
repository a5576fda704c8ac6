"""Texts → vectors that lie close where the texts mean alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import InputInvalid
from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task
from marketplace.tasks.task import said as _

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
                "texts": {"title": _("Texts"), "type": "array", "items": text, "minItems": 1, "maxItems": MOST_TEXTS},
                "dimensions": {"title": _("Dimensions"), "type": ["integer", "null"], "minimum": 1, "maximum": 65_536},
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
        """For a model that reads text: a string for each row. Raises InputInvalid for one whose engine makes tokens."""
        if not spec.inputs or spec.inputs[0].dtype != "str":
            raise InputInvalid("This model reads tokens, which its engine makes.")
        if not all(isinstance(text, str) for text in given["texts"]):
            raise InputInvalid("This model reads text: send texts, not tokens.", param="/input/texts")
        return {spec.inputs[0].name: np.asarray(given["texts"], object)}

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        """Vectors that are cut to `dimensions` keep their length. Raises InputInvalid for more than there are."""
        found, wanted = vectors(outputs), given.get("dimensions")
        if wanted is not None:
            if wanted > found.shape[1]:
                raise InputInvalid(f"This model's vectors have {found.shape[1]} dimensions.", param="/dimensions")
            short = found[:, :wanted]
            length = np.linalg.norm(found, axis=1, keepdims=True)
            found = short * length / np.maximum(np.linalg.norm(short, axis=1, keepdims=True), 1e-12)
        return {"embeddings": found.tolist()}

    def units(self, given: Json) -> dict[str, int]:
        return {}


def vectors(outputs: Arrays) -> NDArray[Any]:
    """The output that has a vector for each row. Raises InputInvalid for a model that has none."""
    found = next((array for array in outputs.values() if array.ndim == 2 and array.dtype.kind == "f"), None)
    if found is None:
        raise InputInvalid("This model gives no vectors.")
    return found


def counted(task: Task, given: Mapping[str, Any], outputs: Arrays) -> dict[str, int]:
    """The tokens that a model of this task read, as it says itself (`tokens`), else words. Other tasks bill no tokens."""
    if task.name != "embeddings":
        return {}
    said = outputs.get("tokens")
    read = sum(len(text.split()) for text in given["texts"]) if said is None else int(said.sum())
    return {"input_token": read}


QUALITY = (
    Metric("recall_at_1", _("Found first"), percent=True),
    Metric("recall_at_5", _("Found among five"), percent=True),
    Metric("mrr", _("Mean reciprocal rank")),
)

EMBEDDINGS = Task(
    name="embeddings",
    title=_("Embeddings"),
    summary=_("Turns texts into vectors for search and comparison."),
    modality="language",
    codec=Embedding(),
    widget="fields",
    metrics=QUALITY,
    protocols=("openai", "predictions"),
    examples=(
        {
            "texts": [
                "Please enter a valid email address.",
                "Bitte geben Sie eine gültige E-Mail-Adresse ein.",
                "Your password was changed.",
                "您的密码已修改。",
            ]
        },
    ),
    also=(
        "vectors",
        "similarity",
        "sentence encoder",
        "RAG",
        "clustering",
        "deduplication",
        "feature extraction",
        "语义相似",
        "检索增强",
    ),
)
