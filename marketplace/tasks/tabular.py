"""Tasks on rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from marketplace.tasks.scores import ranked, scored
from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task

MOST_ROWS = 1_000
MOST = 1e12  # what float32 arithmetic takes without overflow


class _Table:
    """What tasks on rows take: one row of features, or up to a thousand."""

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

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        rows = given["rows"] if "rows" in given else [given["features"]]
        table = [[float(row.get(f.name, f.typical)) for f in spec.features] for row in rows]
        return {spec.inputs[0].name: np.asarray(table, spec.inputs[0].dtype)}

    def units(self, given: Json) -> dict[str, int]:
        return {"row": len(given["rows"]) if "rows" in given else 1}


def _one_or_rows(answer: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of the answer for a row, or of one for each."""
    rows = {
        "type": "object",
        "properties": {"rows": {"type": "array", "items": answer, "minItems": 1}},
        "required": ["rows"],
        "additionalProperties": False,
    }
    return {"oneOf": [answer, rows]}


class Classification(_Table):
    """Rows → for each a label and the probability of every label."""

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return _one_or_rows(scored(spec.labels))

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        answers = [ranked(row, spec.labels) for row in next(iter(outputs.values()))]
        return {"rows": answers} if "rows" in given else answers[0]


class Regression(_Table):
    """Rows → for each a number."""

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        number = {"type": "number"}
        return _one_or_rows(
            {"type": "object", "properties": {"value": number}, "required": ["value"], "additionalProperties": False}
        )

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        # Seven digits are what float32 holds.
        answers = [{"value": float(f"{row[0]:.7g}")} for row in next(iter(outputs.values()))]
        return {"rows": answers} if "rows" in given else answers[0]


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

TABULAR_REGRESSION = Task(
    name="tabular-regression",
    title="Tabular regression",
    summary="Estimates a number from rows of measurements.",
    modality="tabular",
    codec=Regression(),
    widget="form",
    metrics=(
        Metric("r2", "Explained variance (R²)"),
        Metric("rmse", "Root mean squared error", higher_is_better=False),
        Metric("mae", "Mean absolute error", higher_is_better=False),
    ),
)
