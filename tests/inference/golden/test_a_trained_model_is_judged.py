"""A network that was trained here is judged on rows that somebody brings, to the figure that scikit-learn finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.fixtures.serving import Installation
from tests.fixtures.working import Worker, until

pytestmark = pytest.mark.slow


def rows(installation: Installation, slug: str) -> list[dict[str, Any]]:
    """Measurements of scikit-learn's that the model reads, as a line of a file has them, with the size as a slice."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    read = example(installation, slug)
    columns = {str(name): at for at, name in enumerate(data.feature_names) if str(name) in read}
    assert columns
    return [
        {
            "input": {name: str(row[at]) for name, at in columns.items()},  # as a CSV file has them
            "expected": str(data.target_names[target]),
            "slices": {"size": "large" if row[0] > 14 else "small"},
        }
        for row, target in zip(data.data[::12], data.target[::12], strict=True)
    ]


def example(installation: Installation, slug: str) -> dict[str, float]:
    code = (
        "import json; from marketplace.models import Model; "
        f"print(json.dumps(Model.objects.get(name='{slug.partition('/')[2]}').live_version.spec['examples'][0]['features']))"
    )
    found: dict[str, float] = json.loads(installation.manage("shell", "-v0", "-c", code).splitlines()[-1])
    return found


def test_a_diagnosis_on_rows_of_ones_own(
    installation: Installation, worker: Worker, served_starter: Callable[[str], str]
) -> None:
    from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score

    slug = served_starter("diagnosis")
    examples = rows(installation, slug)
    status, made, _ = installation.call(
        "/v1/golden_sets", {"name": "rows", "task": "tabular-classification", "examples": examples}
    )
    assert status == 201, made
    runs = f"/v1/golden_sets/{made['id']}/runs"
    status, run, _ = installation.call(runs, {"models": [slug]})
    assert status == 201, run
    ended = until(
        lambda: (found := installation.call(f"{runs}/{run['id']}")[1])["status"] == "completed" and found, 120
    )
    (judged,) = ended["results"]["models"]
    assert (judged["answered"], judged["errors"]) == (len(examples), 0)
    inputs = {"rows": [{name: float(cell) for name, cell in one["input"].items()} for one in examples]}
    answers = installation.call(f"/v1/models/{slug}/predictions", {"input": inputs})[1]["output"]["rows"]
    truth = [one["expected"] for one in examples]
    said = [one["label"] for one in answers]
    second = sorted(set(truth))[1]
    chances = np.asarray([next(s["score"] for s in one["scores"] if s["label"] == second) for one in answers])
    is_second = np.asarray([one == second for one in truth])
    figures = {name: found[0] for name, found in judged["figures"].items()}
    assert figures["accuracy"] == pytest.approx(accuracy_score(truth, said), abs=1e-6)
    assert figures["macro_f1"] == pytest.approx(f1_score(truth, said, average="macro"), abs=1e-6)
    assert figures["auc"] == pytest.approx(roc_auc_score(is_second, chances), abs=1e-6)
    assert figures["log_loss"] == pytest.approx(log_loss(is_second, np.clip(chances, 1e-6, 1)), abs=1e-3)
    low, high = judged["figures"]["accuracy"][1:]
    assert low <= figures["accuracy"] <= high
    assert {one["value"] for one in ended["results"]["slices"]} == {"large", "small"}
    assert float(judged["cost"]) > 0
