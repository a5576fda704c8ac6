"""Summarisation: a text → its few sentences that say most."""

from __future__ import annotations

from typing import Any

import numpy as np

from marketplace.errors import InputInvalid
from marketplace.tasks import sentences
from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task
from marketplace.tasks.task import said as _

MOST_CHARACTERS, MOST_SENTENCES = 20_000, 256
DEFAULT = 3
GRAIN = 8  # texts of about as many sentences share a call


class Summary:
    """The model scores each sentence; the best are given, in the order of the text."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "text": {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS, "pattern": r"\S", "title": _("Text")},
                "max_sentences": {
                    "type": "integer", "minimum": 1, "maximum": 20, "default": DEFAULT, "title": _("At most so many sentences"),
                },
            },
            "required": ["text"],
            "additionalProperties": False,
        }  # fmt: skip

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        number = {"type": "integer", "minimum": 0}
        return {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "sentences": {"description": "Which of the text's, from 0.", "type": "array", "items": number},
            },
            "required": ["text", "sentences"],
            "additionalProperties": False,
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        found = [sentence.encode() for sentence, _ in sentences.split(given["text"])]
        if len(found) > MOST_SENTENCES:
            raise InputInvalid(
                f"The text has {len(found)} sentences, and {MOST_SENTENCES} are read: shorten it.", param="/input/text"
            )
        rows = np.full((1, -(-len(found) // GRAIN) * GRAIN), b"", object)
        rows[0, : len(found)] = found
        return {spec.inputs[0].name: rows}

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        found = [sentence for sentence, _ in sentences.split(given["text"])]
        scores = next(iter(outputs.values()))[0][: len(found)]
        best = sorted(np.argsort(-scores, kind="stable")[: given.get("max_sentences", DEFAULT)].tolist())
        return {"text": " ".join(found[at] for at in best), "sentences": best}

    def units(self, given: Json) -> dict[str, int]:
        return {"row": 1}


SUMMARISATION = Task(
    name="summarisation",
    title=_("Summarisation"),
    summary=_("Picks the sentences that say most."),
    modality="language",
    codec=Summary(),
    widget="fields",
    metrics=(
        Metric("rouge1", _("ROUGE-1"), percent=True),
        Metric("rouge_l", _("ROUGE-L"), percent=True),
        Metric("lead_rouge1", _("ROUGE-1 of the first sentence"), percent=True),
    ),
    examples=({"text": "It rained all day. The match was cancelled. Tickets stay valid.", "max_sentences": 1},),
    also=("summarization", "summary", "abstract", "digest", "TLDR", "condense", "shorten", "摘要", "总结"),
)
