"""Texts → for each a label and the probability of every label. What a word is, the model decides: it reads text."""

from __future__ import annotations

from typing import Any

import numpy as np

from marketplace.tasks.scores import one_or_rows, ranked, scored
from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task
from marketplace.tasks.task import said as _

MOST_TEXTS = 1_000
MOST_CHARACTERS = 20_000


class TextClassification:
    """One text, or up to a thousand."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        text = {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS}
        return {
            "type": "object",
            "properties": {
                "text": {**text, "title": _("Text")},
                "texts": {"type": "array", "items": text, "minItems": 1, "maxItems": MOST_TEXTS},
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        }

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return one_or_rows(scored(spec.labels))

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        return {spec.inputs[0].name: np.asarray(given["texts"] if "texts" in given else [given["text"]], object)}

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        answers = [ranked(row, spec.labels) for row in next(iter(outputs.values()))]
        return {"rows": answers} if "texts" in given else answers[0]

    def units(self, given: Json) -> dict[str, int]:
        return {"row": len(given["texts"]) if "texts" in given else 1}


METRICS = (
    Metric("accuracy", _("Accuracy"), percent=True),
    Metric("macro_f1", _("F1 score, mean of all classes")),
    Metric("log_loss", _("Log loss"), higher_is_better=False),
)

TEXT_CLASSIFICATION = Task(
    name="text-classification",
    title=_("Text classification"),
    summary=_("Sorts texts into classes: their language, their subject, their purpose."),
    modality="language",
    codec=TextClassification(),
    widget="fields",
    metrics=METRICS,
    examples=({"text": "Where is the nearest railway station?"},),
    also=(
        "spam",
        "topic",
        "intent",
        "moderation",
        "toxicity",
        "language detection",
        "language identification",
        "tagging",
        "categorization",
        "语言识别",
        "垃圾邮件",
    ),
)
