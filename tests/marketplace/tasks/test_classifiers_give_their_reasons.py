"""A model with an output `contributions` says why: the strongest values first, with the rest and the base the whole logit."""

from __future__ import annotations

import jsonschema_rs
import numpy as np
import pytest

from marketplace.tasks import registry
from marketplace.tasks.task import Feature, ModelSpec, Tensor

NAMES = tuple("abcdefgh")
SPEC = ModelSpec(
    (Tensor("features", "float32", (None, 8)),),
    (Tensor("probabilities", "float32", (None, 2)), Tensor("contributions", "float32", (None, 8)), Tensor("base", "float32", (None, 1))),
    labels=("good", "bad"),
    features=tuple(Feature(name, 0, 9, 5) for name in NAMES),
)  # fmt: skip
CODEC = registry.get("tabular-classification").codec
EFFECTS = np.array([[0.1, -2.0, 0.3, 0.0, 1.0, -0.4, 0.2, 0.05], [0, 0, 0, 0, 0, 0, 0, 3.0]], np.float32)
LOGITS = EFFECTS.sum(1) - 1.5
# As a signature gives them: in the order of the alphabet.
OUTPUTS = {
    "base": np.full((2, 1), -1.5, np.float32),
    "contributions": EFFECTS,
    "probabilities": 1 / (1 + np.exp(np.stack([LOGITS, -LOGITS], 1))),
}


def test_reasons_are_the_strongest_and_add_up_to_the_log_odds() -> None:
    given = {"rows": [{"b": 7}, {"h": 1.5}]}
    answer = CODEC.present(given, OUTPUTS, SPEC)
    jsonschema_rs.validator_for(CODEC.output_schema(SPEC)).validate(answer)
    for row, logit in zip(answer["rows"], LOGITS, strict=True):
        told = row["base"] + row["rest"] + sum(reason["effect"] for reason in row["reasons"])
        chance = next(one["score"] for one in row["scores"] if one["label"] == row["reasons_for"] == "bad")
        assert told == pytest.approx(float(logit), abs=1e-5)
        assert chance == pytest.approx(1 / (1 + np.exp(-told)), abs=1e-5)
    first = answer["rows"][0]["reasons"]
    assert [reason["feature"] for reason in first] == ["b", "e", "f", "c", "g", "a"]
    assert first[0] == {"feature": "b", "value": 7, "effect": -2.0}
    assert first[1]["value"] == 5, "what was left out is taken to be typical"


def test_a_classifier_without_them_answers_as_ever() -> None:
    plain = ModelSpec(SPEC.inputs, SPEC.outputs[:1], SPEC.labels, SPEC.features)
    answer = CODEC.present({"features": {"b": 7}}, {"probabilities": OUTPUTS["probabilities"][:1]}, plain)
    assert answer.keys() == {"label", "score", "scores"}
    jsonschema_rs.validator_for(CODEC.output_schema(plain)).validate(answer)
