"""Tasks on rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from marketplace.tasks import reasons
from marketplace.tasks.scores import one_or_rows, ranked, scored
from marketplace.tasks.task import Arrays, Feature, Json, Metric, ModelSpec, Task
from marketplace.tasks.task import said as _

MOST_ROWS = 1_000
MOST_WORD = 200  # characters of a category
MOST_TEXT = 10_000
SHOWN = 20  # categories that the schema names
MOST = 1e12  # what float32 arithmetic takes without overflow


class _Table:
    """What tasks on rows take: one row of features, or up to a thousand."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        row = {
            "type": "object",
            "properties": {f.name: _cell(f) for f in spec.features},
            # What is left out is taken to be typical, or is missing for a model that knows what to make of that.
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
        words = [f for f in spec.features if not f.is_number]
        numbers = [f for f in spec.features if f.is_number]
        return {
            tensor.name: np.asarray([[_word(f, row) for f in words] for row in rows], object)
            if tensor.dtype == "str"
            else np.asarray([[_number(f, row) for f in numbers] for row in rows], tensor.dtype)
            for tensor in spec.inputs
        }

    def units(self, given: Json) -> dict[str, int]:
        return {"row": len(given["rows"]) if "rows" in given else 1}


def _cell(feature: Feature) -> dict[str, Any]:
    """JSON Schema of a cell."""
    if feature.form:
        most, told = (
            (MOST_WORD, f"a date, such as {feature.typical}") if feature.form == "date" else (MOST_TEXT, "a text")
        )
        return {"type": ["string", "null"], "maxLength": most, "description": told}
    if feature.choices:
        known = ", ".join(feature.choices[:SHOWN])
        told = f"{known}{', …' if len(feature.choices) > SHOWN else ''}; another one counts as unknown"
        return {"type": ["string", "null"], "maxLength": MOST_WORD, "description": told}
    return {
        "type": ["number", "null"] if feature.optional else "number",
        "minimum": -MOST,
        "maximum": MOST,
        "description": f"{feature.low:g} to {feature.high:g} in the training data",
    }


def _number(feature: Feature, row: dict[str, Any]) -> float:
    given = row.get(feature.name)
    return float((float("nan") if feature.optional else feature.typical) if given is None else given)


def _word(feature: Feature, row: dict[str, Any]) -> bytes:
    given = row.get(feature.name)
    return str(("" if feature.optional else feature.typical) if given is None else given).strip().encode()


class Classification(_Table):
    """Rows → for each a label and the probability of every label; its reasons, where the model gives them."""

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        answer = scored(spec.labels)
        return one_or_rows(reasons.reasoned(answer, spec) if reasons.given_by(spec) else answer)

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        if not reasons.given_by(spec):
            answers = [ranked(row, spec.labels) for row in next(iter(outputs.values()))]
        else:
            rows = given["rows"] if "rows" in given else [given["features"]]
            answers = [
                ranked(chances, spec.labels) | reasons.reasons(outputs, at, row, spec)
                for at, (chances, row) in enumerate(zip(outputs["probabilities"], rows, strict=True))
            ]
        return {"rows": answers} if "rows" in given else answers[0]


class Regression(_Table):
    """Rows → for each a number."""

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        number = {"type": "number"}
        return one_or_rows(
            {"type": "object", "properties": {"value": number}, "required": ["value"], "additionalProperties": False}
        )

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        # Seven digits are what float32 holds.
        answers = [{"value": float(f"{row[0]:.7g}")} for row in next(iter(outputs.values()))]
        return {"rows": answers} if "rows" in given else answers[0]


TABULAR_CLASSIFICATION = Task(
    name="tabular-classification",
    title=_("Tabular classification"),
    summary=_("Sorts rows of measurements into classes."),
    modality="tabular",
    codec=Classification(),
    widget="form",
    metrics=(
        Metric("accuracy", _("Accuracy"), percent=True),
        Metric("auc", _("Area under the ROC curve")),
        Metric("log_loss", _("Log loss"), higher_is_better=False),
        Metric("brier", _("Brier score"), higher_is_better=False),
        Metric("calibration_error", _("Expected calibration error"), percent=True, higher_is_better=False),
    ),
    also=(
        "churn",
        "fraud",
        "credit scoring",
        "risk",
        "default",
        "diagnosis",
        "medical",
        "spreadsheet",
        "CSV",
        "data mining",
        "流失",
        "风控",
        "诊断",
    ),
)

TABULAR_REGRESSION = Task(
    name="tabular-regression",
    title=_("Tabular regression"),
    summary=_("Estimates a number from rows of measurements."),
    modality="tabular",
    codec=Regression(),
    widget="form",
    metrics=(
        Metric("r2", _("Explained variance (R²)")),
        Metric("rmse", _("Root mean squared error"), higher_is_better=False),
        Metric("mae", _("Mean absolute error"), higher_is_better=False),
    ),
    also=(
        "forecast",
        "prediction",
        "estimation",
        "price prediction",
        "demand",
        "house prices",
        "spreadsheet",
        "CSV",
        "预测",
        "回归",
    ),
)
