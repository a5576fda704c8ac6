"""Question answering: a question and a text that holds its answer → the answer, and where it stands."""

from __future__ import annotations

from typing import Any

import numpy as np

from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task
from marketplace.tasks.task import said as _


class Answering:
    """The answer is a stretch of the context: its characters from `start` until before `end`."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "question": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 500,
                    "pattern": r"\S",
                    "title": _("Question"),
                },
                "context": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 5_000,
                    "pattern": r"\S",
                    "title": _("Context"),
                },
            },
            "required": ["question", "context"],
            "additionalProperties": False,
        }

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        place = {"type": "integer", "minimum": 0}
        return {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "score": {"type": "number", "minimum": 0, "maximum": 1},
                "start": {"description": "Characters of the context before the answer.", **place},
                "end": {"description": "Characters of the context until the answer's end.", **place},
            },
            "required": ["text", "score", "start", "end"],
            "additionalProperties": False,
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        return {name: np.asarray([given[name].encode()], object) for name in ("question", "context")}

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        start, end = int(outputs["start"][0]), int(outputs["end"][0])
        score = round(min(max(float(outputs["score"][0]), 0.0), 1.0), 4)
        return {"text": given["context"][start:end], "score": score, "start": start, "end": end}

    def units(self, given: Json) -> dict[str, int]:
        return {"row": 1}


QUESTION_ANSWERING = Task(
    name="question-answering",
    title=_("Question answering"),
    summary=_("Finds the answer to a question in a text."),
    modality="language",
    codec=Answering(),
    widget="fields",
    metrics=(
        Metric("exact_match", _("Exact match"), percent=True),
        Metric("f1", _("F1 of words"), percent=True),
    ),
    examples=({"question": "Where does Greta live?", "context": "Greta lives in Trieste. Aldo lives in Genoa."},),
    also=("QA", "reading comprehension", "RAG", "extractive", "FAQ", "answers", "阅读理解", "检索增强"),
)
