"""How well answers agree with those that are known, in one figure a task; and when that is worse than before."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from django.utils.translation import gettext_noop

from marketplace.tasks.task import Metric

POINTS = 0.02  # of a share, that a version may lose: two points
SHARE = 0.05  # of an error, by which it may grow
Score = Callable[[Any, Any], float]


def metric_of(task: str) -> Metric | None:
    """The figure that judges this task here; None where there is none."""
    return _JUDGES[task][0] if task in _JUDGES else None


def judge(task: str, outputs: Sequence[Any], expected: Sequence[Any]) -> float:
    """The mean over the examples. An answer that has nothing to compare counts as wrong: 0, or the largest error of the rest."""
    metric, score = _JUDGES[task]
    scores = []
    for output, wanted in zip(outputs, expected, strict=True):
        try:
            one = score(output, wanted)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            one = math.nan
        scores.append(one if math.isfinite(one) else math.nan)
    good = [one for one in scores if not math.isnan(one)]
    wrong = 0.0 if metric.higher_is_better else max(good, default=0.0)
    if not good and not metric.higher_is_better:
        raise ValueError("no answer can be compared with what is expected")
    return sum(wrong if math.isnan(one) else one for one in scores) / len(scores)


def tolerance(metric: Metric, before: float) -> float:
    """By how much a figure may be worse than `before`."""
    return POINTS if metric.percent else abs(before) * SHARE + 1e-9


def is_worse(metric: Metric, value: float, before: float) -> bool:
    """Whether it is, beyond the tolerance."""
    lost = before - value if metric.higher_is_better else value - before
    return lost > tolerance(metric, before) + 1e-12


def _answer(given: Any, name: str) -> Any:
    return given[name] if isinstance(given, Mapping) else given


def _same_label(output: Any, wanted: Any) -> float:
    return float(str(_answer(output, "label")) == str(_answer(wanted, "label")))


def _apart(output: Any, wanted: Any) -> float:
    return abs(float(_answer(output, "value")) - float(_answer(wanted, "value")))


def _words(output: Any, wanted: Any) -> float:
    """F1 of the words that both have, each as often as both have it."""
    said, meant = (Counter(str(_answer(one, "text")).lower().split()) for one in (output, wanted))
    both = (said & meant).total()
    return 2 * both / (said.total() + meant.total()) if said or meant else 1.0


def _listed(output: Any, wanted: Any) -> float:
    """The share of what was wanted that is among the first ten."""
    meant = {_id(one) for one in (wanted["items"] if isinstance(wanted, Mapping) else wanted)}
    return len(meant & {_id(one) for one in output["items"][:10]}) / len(meant) if meant else math.nan


def _id(one: Any) -> str:
    return str(one.get("id", one.get("index")) if isinstance(one, Mapping) else one)


def _parallel(output: Any, wanted: Any) -> float:
    """The cosine of the vectors."""
    a, b = (np.asarray(_answer(one, "embeddings"), np.float64).ravel() for one in (output, wanted))
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def _numbers_apart(output: Any, wanted: Any) -> float:
    known = wanted.get("outputs", wanted)
    return float(
        np.mean([np.mean(np.abs(_numbers(output["outputs"][name]) - _numbers(known[name]))) for name in known])
    )


def _numbers(given: Any) -> Any:
    return np.asarray(given, np.float64)


_ACCURACY = Metric("accuracy", gettext_noop("Accuracy"), percent=True)
_WORDS = Metric("f1", gettext_noop("Words in common (F1)"), percent=True)
_FOUND = Metric("recall_at_10", gettext_noop("Recall at 10"), percent=True)
_ERROR = Metric("mae", gettext_noop("Mean absolute error"), higher_is_better=False)
_JUDGES: dict[str, tuple[Metric, Score]] = {
    "image-classification": (_ACCURACY, _same_label),
    "tabular-classification": (_ACCURACY, _same_label),
    "text-classification": (_ACCURACY, _same_label),
    "tabular-regression": (_ERROR, _apart),
    "translation": (_WORDS, _words),
    "summarisation": (_WORDS, _words),
    "question-answering": (_WORDS, _words),
    "text-generation": (_WORDS, _words),
    "chat": (_WORDS, _words),
    "recommendation": (_FOUND, _listed),
    "ranking": (_FOUND, _listed),
    "semantic-search": (_FOUND, _listed),
    "embeddings": (Metric("cosine", gettext_noop("Cosine similarity"), percent=True), _parallel),
    "tensor": (_ERROR, _numbers_apart),
}
