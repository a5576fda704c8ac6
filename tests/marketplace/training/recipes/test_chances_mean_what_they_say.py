"""Calibration: measured rightly, set right, and true of the credit starter, whose reasons are its answer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marketplace.training.recipes import calibrating
from marketplace.training.recipes.datasets.credit import chance, credit
from marketplace.training.starters.registry import by_name
from marketplace.training.starters.starter import card
from tests.fixtures.serving import Installation
from tests.fixtures.training import Trained

# TensorFlow stays out of the process of the tests.
ANSWER = """
import sys, numpy as np, tensorflow as tf
rows = np.load(sys.argv[2])
answer = tf.saved_model.load(sys.argv[1]).signatures["serving_default"](features=tf.constant(rows))
np.savez(sys.argv[3], **{name: tensor.numpy() for name, tensor in answer.items()})
"""


def test_chances_that_are_true_are_calibrated_and_bold_ones_are_not() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(-1, 1, 20_000)
    true = 1 / (1 + np.exp(-logits))
    came = (random.random(20_000) < true).astype(np.int64)
    bold = 1 / (1 + np.exp(-3 * logits))
    assert calibrating.judge(true, came)["calibration_error"] < 0.02
    assert calibrating.judge(bold, came)["calibration_error"] > 0.1
    assert calibrating.judge(true, came)["brier"] < calibrating.judge(bold, came)["brier"]
    slope, offset = calibrating.platt(3 * logits + 2, came)
    assert slope == pytest.approx(1 / 3, rel=0.05)
    assert offset == pytest.approx(-2 / 3, abs=0.05)


def test_groups_hold_all_rows_in_order_of_their_chance() -> None:
    groups = calibrating.table(np.linspace(0, 1, 101), np.repeat([0, 1], [60, 41]))
    assert sum(group["rows"] for group in groups) == 101
    assert [group["came"] for group in groups] == sorted(group["came"] for group in groups)


@pytest.mark.slow
def test_the_card_shows_the_calibration(trained_starter: Callable[[str], Trained]) -> None:
    outcome = trained_starter("credit").outcome
    text = card(by_name("credit"), outcome)
    assert text.startswith("**A demonstration on generated data, not for credit decisions**")
    assert "| rows | mean chance given | share defaulted |" in text
    assert outcome["metrics"]["calibration_error"] < 0.04
    assert outcome["metrics"]["brier"] < outcome["baseline"]["brier"]


@pytest.mark.slow
def test_chances_are_near_the_truth_and_are_the_sum_of_their_reasons(
    trained_starter: Callable[[str], Trained], tmp_path: Path
) -> None:
    run = trained_starter("credit")
    table = credit(run.outcome["facts"]["seed"])
    np.save(tmp_path / "rows.npy", table.test.x)
    command = [sys.executable, "-c", ANSWER, run.folder, tmp_path / "rows.npy", tmp_path / "answer.npz"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    answer = np.load(tmp_path / "answer.npz")
    said, truth = answer["probabilities"][:, 1].astype(np.float64), chance(table.test.x)
    np.testing.assert_allclose(
        np.log(said / (1 - said)), (answer["contributions"].sum(1) + answer["base"][:, 0]), atol=1e-4
    )
    assert np.abs(said - truth).mean() < np.abs(truth - table.train.y.mean()).mean() / 2.5
    groups = np.array_split(np.argsort(said), 10)
    assert max(abs(said[group].mean() - truth[group].mean()) for group in groups) < 0.06
    # A feature's effect depends on nothing else, and is 0 on average.
    order = np.argsort(table.test.x[:, 5], kind="stable")
    for value in np.unique(table.test.x[:, 5]):
        assert np.ptp(answer["contributions"][order][table.test.x[order, 5] == value, 5]) < 1e-5
    assert np.abs(answer["contributions"].mean(0)).max() < 0.1


@pytest.mark.slow
def test_callers_get_reasons(
    installation: Installation, served_starter: Callable[[str], str], trained_starter: Callable[[str], Trained]
) -> None:
    path = f"/v1/models/{served_starter('credit')}/predictions"
    example = trained_starter("credit").outcome["spec"]["examples"][0]["features"]
    careful = example | {"late payments in two years": 0, "card limit used (%)": 5, "debts (% of income)": 5}
    careless = example | {"late payments in two years": 6, "card limit used (%)": 95, "debts (% of income)": 60}
    status, answer, _ = installation.call(path, {"input": {"rows": [careful, careless]}})
    assert status == 200, answer

    def risk(row: dict[str, Any]) -> float:
        (found,) = (one["score"] for one in row["scores"] if one["label"] == row["reasons_for"])
        return float(found)

    low, high = answer["output"]["rows"]
    assert risk(low) < 0.5 < risk(high), json.dumps(answer)
    late = next(reason for reason in high["reasons"] if reason["feature"] == "late payments in two years")
    assert late["value"] == 6
    assert late["effect"] > 0.5
