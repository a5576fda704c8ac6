"""The version before on the very rows that judge the new one: metric by metric, and which rows changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec
from marketplace.training.recipes import fitting
from marketplace.training.recipes.judging import Row
from marketplace.training.recipes.materials.material import Material, Prepared, Rows, Truth

MOST_SHOWN = 8
AT_ONCE = 512


def compare(
    told: Path, task: str, given: Material, prepared: Prepared, test: Rows, answers: NDArray[np.float32], row: Row
) -> dict[str, Any] | None:
    """What the version in the file `told` ({"source", "spec", …}) says of the rows `test`, beside the new `answers`.

    Gives the file's other fields, `metrics` of both on these rows (`accuracy` alone where their labels differ), how many
    rows became `better` and `worse`, and examples of each, which `row` shows. None where that version cannot read these rows, or is gone.
    """
    before = json.loads(told.read_text())
    spec = ModelSpec.from_json(before.pop("spec"))
    try:
        old = _ask(Path(before.pop("source")), task, spec, [_input(given, prepared, spec, int(row)) for row in test])
    except Exception:  # whatever TensorFlow raises for a model that is gone or takes something else
        return None
    truth = given.truth
    true = truth.values[test]
    found = _classes(old, spec.labels, answers, truth, true, row) if truth.labels else _numbers(old, answers, true, row)
    return {**before, **found}


def _input(given: Material, prepared: Prepared, spec: ModelSpec, row: int) -> Any:
    """The row as that version's interface takes it, with the columns that it knows."""
    if not spec.features:
        return prepared.example(row)
    cells = given.row(row)
    there = [feature for feature in spec.features if cells.get(feature.name)]
    return {"features": {f.name: float(cells[f.name]) if f.is_number else cells[f.name] for f in there}}


def _ask(source: Path, task: str, spec: ModelSpec, inputs: list[Any]) -> NDArray[np.float32]:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(source))
    signature, codec = loaded.signatures["serving_default"], registry.get(task).codec
    found = []
    for at in range(0, len(inputs), AT_ONCE):
        rows = [codec.prepare(one, spec) for one in inputs[at : at + AT_ONCE]]
        arrays = {name: np.concatenate([one[name] for one in rows]) for name in rows[0]}
        said = signature(**{name: tf.constant(array) for name, array in arrays.items()})
        found.append(said[spec.outputs[0].name].numpy())
    return np.concatenate(found)


def _classes(
    old: NDArray[np.float32],
    labels: tuple[str, ...],
    new: NDArray[np.float32],
    truth: Truth,
    true: NDArray[np.int64],
    row: Row,
) -> dict[str, Any]:
    places = {label: at for at, label in enumerate(truth.labels)}
    was, now = np.asarray([places.get(labels[at], -1) for at in old.argmax(1)]), new.argmax(1)
    own = new[np.arange(len(true)), true]
    metrics = [{"accuracy": float((said == true).mean())} for said in (was, now)]
    if set(labels) == set(truth.labels):
        same = old[:, [labels.index(label) for label in truth.labels]]
        metrics = [
            fitting.judge(said, true) | {"macro_f1": fitting.macro_f1(said.argmax(1), true)} for said in (same, new)
        ]
    better, worse = (now == true) & (was != true), (now != true) & (was == true)

    def shown(at: int) -> dict[str, Any]:
        told = {"truth": truth.labels[true[at]], "before": labels[int(old[at].argmax())], "now": truth.labels[now[at]]}
        return {**row(at), **told}

    return _changed(metrics, better, worse, own, shown)


def _numbers(old: NDArray[np.float32], new: NDArray[np.float32], true: NDArray[np.float32], row: Row) -> dict[str, Any]:
    was, now = old[:, 0], new[:, 0]
    gain = np.abs(was - true) - np.abs(now - true)
    # A change that nobody would see is none.
    least = 1e-3 * (float(true.std()) or 1.0)

    def shown(at: int) -> dict[str, Any]:
        return {**row(at), "truth": float(true[at]), "before": float(was[at]), "now": float(now[at])}

    metrics = [fitting.judge_numbers(said, true) for said in (was, now)]
    return _changed(metrics, gain > least, gain < -least, gain, shown)


def _changed(
    metrics: list[dict[str, float]],
    better: NDArray[np.bool_],
    worse: NDArray[np.bool_],
    gain: NDArray[Any],
    shown: Any,
) -> dict[str, Any]:
    """The examples that gained most and lost most first."""
    order = np.argsort(gain, kind="stable")
    up, down = [at for at in order[::-1] if better[at]], [at for at in order if worse[at]]
    told: Mapping[str, Any] = {"better": up, "worse": down}
    return {
        "metrics": {"before": metrics[0], "now": metrics[1]},
        "rows": len(gain),
        **{name: len(places) for name, places in told.items()},
        **{f"{name}_rows": [shown(int(at)) for at in places[:MOST_SHOWN]] for name, places in told.items()},
    }
