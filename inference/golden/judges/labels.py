"""Judges of classifiers: of texts, images and rows of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.golden.intervals import Places, Statistic
from inference.golden.judges.judge import Json, Judge, Measure, of_each, text
from marketplace.tasks.task import Metric, ModelSpec

LEAST = 1e-6  # a chance below is taken for this one: of a label that the model does not name, too


def right(truth: str, said: Json) -> float:
    """Whether the likeliest label is the expected one."""
    return float(said["label"] == truth)


def kept(output: Json) -> Json:
    """Of a classifier's answer: the label, and the chance of each. Rows answer one by one."""
    found = output["rows"][0] if "rows" in output else output
    return {"label": found["label"], "scores": {one["label"]: one["score"] for one in found["scores"]}}


def _codes(truth: Sequence[str], said: Sequence[Json]) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    names = sorted({*truth, *(one["label"] for one in said)})
    place = {name: at for at, name in enumerate(names)}
    answers = [place[one["label"]] for one in said]
    return np.asarray([place[one] for one in truth]), np.asarray(answers), len(names)


def macro_f1(truth: Sequence[str], said: Sequence[Json]) -> Statistic:
    """The mean over the classes that occur, as truth or as answer, of 2·hits / (said + true)."""
    is_, says, count = _codes(truth, said)
    hit = is_ == says

    def of(at: Places) -> float:
        hits = np.bincount(is_[at][hit[at]], minlength=count)
        both = np.bincount(is_[at], minlength=count) + np.bincount(says[at], minlength=count)
        return float((2 * hits[both > 0] / both[both > 0]).mean())

    return of


def log_loss(truth: Sequence[str], said: Sequence[Json]) -> Statistic:
    """The mean of −log of the chance that the model gave to what is right, with LEAST as the least."""
    chances = [max(one["scores"].get(label, 0.0), LEAST) for label, one in zip(truth, said, strict=True)]
    losses = -np.log(np.asarray(chances))
    return lambda at: float(losses[at].mean())


def _of_second(truth: Sequence[str], said: Sequence[Json]) -> tuple[NDArray[np.bool_], NDArray[np.float64]] | None:
    """Of two classes: whether an example is of the second by name, and its chance; None where there are not two."""
    names = sorted(set(truth))
    if len(names) != 2:
        return None
    is_second = np.asarray([one == names[1] for one in truth])
    return is_second, np.asarray([one["scores"].get(names[1], 0.0) for one in said])


def auc(truth: Sequence[str], said: Sequence[Json]) -> Statistic:
    """Of two classes: how often one of the second class gets a higher chance than one of the first, ties by half.

    The area under the ROC curve, from ranks (Mann and Whitney 1947; Hanley and McNeil 1982).
    """
    found = _of_second(truth, said)
    if found is None:
        return lambda at: float("nan")
    is_second, chances = found

    def of(at: Places) -> float:
        second, (_, place, counts) = is_second[at], np.unique(chances[at], return_inverse=True, return_counts=True)
        many, few = int(second.sum()), int((~second).sum())
        if not many or not few:
            return float("nan")
        ranks = (counts.cumsum() - (counts - 1) / 2)[place]  # of those alike the middle one, from 1
        return float((ranks[second].sum() - many * (many + 1) / 2) / (many * few))

    return of


def brier(truth: Sequence[str], said: Sequence[Json]) -> Statistic:
    """Of two classes: the mean squared error of the chance of the second (Brier 1950)."""
    found = _of_second(truth, said)
    if found is None:
        return lambda at: float("nan")
    errors = (found[1] - found[0]) ** 2
    return lambda at: float(errors[at].mean())


ACCURACY = Measure(Metric("accuracy", "Accuracy", percent=True), of_each(right))
MACRO_F1 = Measure(Metric("macro_f1", "F1 score, mean of all classes"), macro_f1)
LOG_LOSS = Measure(Metric("log_loss", "Log loss", higher_is_better=False), log_loss)
AUC = Measure(Metric("auc", "Area under the ROC curve"), auc)
BRIER = Measure(Metric("brier", "Brier score", higher_is_better=False), brier)

TEXT = Judge(("text",), text, kept, right, (ACCURACY, MACRO_F1, LOG_LOSS))
IMAGE = Judge(("image",), text, kept, right, (ACCURACY, MACRO_F1, LOG_LOSS))


def features(given: dict[str, Json]) -> Json:
    """The columns as a row; an empty cell is a missing one."""
    inner = given.get("features")
    row = inner if isinstance(inner, dict) and len(given) == 1 else given
    return {"features": {name: cell for name, cell in row.items() if cell not in ("", None)}}


def as_the_model_reads(given: Json, _expected: Json, spec: ModelSpec) -> Json:
    """The row with its cells as numbers or words, as this model has them; columns that it does not know are left out."""
    known = {feature.name: feature for feature in spec.features}
    row: Mapping[str, Any] = given["features"]
    if known:
        row = {name: cell for name, cell in row.items() if name in known}
    return {"features": {name: _cell(cell, bool(name in known and known[name].choices)) for name, cell in row.items()}}


def _cell(cell: Any, is_word: bool) -> Any:
    if is_word:
        return str(cell)
    try:
        return float(cell) if isinstance(cell, str) else cell
    except ValueError:
        return cell  # the model's schema says what is wrong with it


ROW = Judge(
    (), text, kept, right, (ACCURACY, MACRO_F1, AUC, LOG_LOSS, BRIER), open=True, wrap=features, ask=as_the_model_reads,
)  # fmt: skip
