"""Translation: a text in one language → the same in another."""

from __future__ import annotations

from typing import Any

import numpy as np

from marketplace.tasks import sentences
from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task
from marketplace.tasks.task import said as _

MOST_CHARACTERS = 5_000


class Translation:
    """A text → its translation. A model reads one sentence a row; space between sentences stays."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        text = {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS, "pattern": r"\S", "title": _("Text")}
        return {"type": "object", "properties": {"text": text}, "required": ["text"], "additionalProperties": False}

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
            "additionalProperties": False,
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        rows = [sentence.encode() for sentence, _ in sentences.split(given["text"])]
        return {spec.inputs[0].name: np.asarray(rows, object)}

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        rows = [row.decode() for row in next(iter(outputs.values()))]
        spaces = [space for _, space in sentences.split(given["text"])]
        return {"text": "".join(row + space for row, space in zip(rows, spaces, strict=True))}

    def units(self, given: Json) -> dict[str, int]:
        return {"row": len(sentences.split(given["text"]))}


TRANSLATION = Task(
    name="translation",
    title=_("Translation"),
    summary=_("Says a text in another language."),
    modality="language",
    codec=Translation(),
    widget="fields",
    metrics=(
        Metric("bleu", _("BLEU"), percent=True),
        Metric("exact", _("Right to the letter"), percent=True),
    ),
    examples=({"text": "The house is old."},),
    also=("translate", "translator", "machine translation", "localization", "MT", "机器翻译"),
)
