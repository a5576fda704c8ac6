"""Why a classifier of two labels answers as it does: which values speak for the second label, which against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marketplace.tasks.task import Arrays, ModelSpec

MOST_REASONS = 6
NAME, BASE = "contributions", "base"


def given_by(spec: ModelSpec) -> bool:
    """Whether the model gives reasons: an output `contributions` (rows, features), which with `base` sums to the logit."""
    return len(spec.labels) == 2 and {NAME, BASE} <= {tensor.name for tensor in spec.outputs}


def reasons(outputs: Arrays, at: int, row: Mapping[str, Any], spec: ModelSpec) -> dict[str, Any]:
    """The strongest reasons for a row, the one at this place. base + Σ effects + rest = the logit of the second label."""
    effects = [float(effect) for effect in outputs[NAME][at]]
    order = sorted(range(len(effects)), key=lambda one: -abs(effects[one]))[:MOST_REASONS]
    told = []
    for one in order:
        feature = spec.features[one]
        value = row.get(feature.name, None if feature.optional else feature.typical)
        told.append({"feature": feature.name, "value": value, "effect": round(effects[one], 6)})
    base = round(float(outputs[BASE][at][0]), 6)
    rest = sum(effects) - sum(effects[one] for one in order)
    return {"reasons_for": spec.labels[1], "reasons": told, "base": base, "rest": round(rest, 6)}


def reasoned(answer: dict[str, Any], spec: ModelSpec) -> dict[str, Any]:
    """The JSON Schema of a classifier's answer with reasons."""
    number = {"type": "number"}
    effect = {**number, "description": f"How much this value raises the log odds of {spec.labels[1]}."}
    one = {
        "type": "object",
        "properties": {
            "feature": {"type": "string"},
            "value": {"type": ["number", "string", "null"]},
            "effect": effect,
        },
        "required": ["feature", "value", "effect"],
        "additionalProperties": False,
    }
    told = {
        "reasons_for": {"const": spec.labels[1]},
        "reasons": {"type": "array", "items": one},
        "base": {**number, "description": "The log odds on average."},
        "rest": {**number, "description": "The effects of all other features together."},
    }
    return {
        **answer,
        "properties": {**answer["properties"], **told},
        "required": [*answer["required"], *told],
    }
