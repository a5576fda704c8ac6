"""Tasks on rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from marketplace.tasks.scores import ranked, scored
from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task

MOST_ROWS = 1_000
MOST = 1e12  # what float32 arithmetic takes without overflow


class Classification:
    """One row of features, or up to a thousand → a label and the probability of each."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        row = {
            "type": "object",
            "properties": {
                f.name: {
                    "type": "number",
                    "minimum": -MOST,
                    "maximum": MOST,
                    "description": f"{f.low:g} to {f.high:g} in the training data",
                }
                for f in spec.features
            },
            # What is left out is taken to be typical.
            "minProperties": 1,
            "additionalProperties": False,
        }
        return {
            "type": "object",
            "properties": {
                "features": row,
                "rows": {"type": "array", "items": row, "minItems": 1, "maxItems": MOST_ROWS},
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        }

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        answer = scored(spec.labels)
        rows = {
            "type": "object",
            "properties": {"rows": {"type": "array", "items": answer, "minItems": 1}},
            "required": ["rows"],
            "additionalProperties": False,
        }
        return {"oneOf": [answer, rows]}

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        rows = given["rows"] if "rows" in given else [given["features"]]
        table = [[float(row.get(f.name, f.typical)) for f in spec.features] for row in rows]
        return {spec.inputs[0].name: np.asarray(table, spec.inputs[0].dtype)}

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        answers = [ranked(row, spec.labels) for row in next(iter(outputs.values()))]
        return {"rows": answers} if "rows" in given else answers[0]

    def units(self, given: Json) -> dict[str, int]:
        return {"row": len(given["rows"]) if "rows" in given else 1}


TABULAR_CLASSIFICATION = Task(
    name="tabular-classification",
    title="Tabular classification",
    summary="Sorts rows of measurements into classes.",
    modality="tabular",
    codec=Classification(),
    widget="form",
    metrics=(
        Metric("accuracy", "Accuracy", percent=True),
        Metric("auc", "Area under the ROC curve"),
        Metric("log_loss", "Log loss", higher_is_better=False),
    ),
)
