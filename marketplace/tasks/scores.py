"""How every classifier answers: the likeliest label first, each with its probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_SCORES = 20


def ranked(probabilities: NDArray[np.floating[Any]], labels: Sequence[str]) -> dict[str, Any]:
    """The answer for one row. Labels that a model does not name are numbers."""
    order = np.argsort(-probabilities, kind="stable")[:MOST_SCORES]
    scores = [
        {"label": labels[i] if i < len(labels) else str(i), "score": round(float(probabilities[i]), 6)} for i in order
    ]
    return {**scores[0], "scores": scores}


def scored(labels: Sequence[str]) -> dict[str, Any]:
    """The JSON Schema of `ranked`."""
    label: dict[str, Any] = {"enum": list(labels)} if labels else {"type": "string"}
    score = {"type": "number", "minimum": 0, "maximum": 1}
    one = {
        "type": "object",
        "properties": {"label": label, "score": score},
        "required": ["label", "score"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"label": label, "score": score, "scores": {"type": "array", "items": one, "minItems": 1}},
        "required": ["label", "score", "scores"],
        "additionalProperties": False,
    }


def one_or_rows(answer: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of the answer for a row, or of one for each."""
    rows = {
        "type": "object",
        "properties": {"rows": {"type": "array", "items": answer, "minItems": 1}},
        "required": ["rows"],
        "additionalProperties": False,
    }
    return {"oneOf": [answer, rows]}
