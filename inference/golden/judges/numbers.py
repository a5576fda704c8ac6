"""The judge of estimates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from django.utils.translation import gettext as _

from inference.golden.intervals import Places, Statistic
from inference.golden.judges.judge import ExampleInvalid, Json, Judge, Measure
from inference.golden.judges.labels import as_the_model_reads, features
from marketplace.tasks.task import Metric


def number(given: Json) -> float:
    """A number that is expected. Raises ExampleInvalid."""
    try:
        found = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise ExampleInvalid(_("What is expected must be a number, like 12.5."))
    return found


def kept(output: Json) -> Json:
    """The estimate."""
    return (output["rows"][0] if "rows" in output else output)["value"]


def rmse(truth: Sequence[float], said: Sequence[float]) -> Statistic:
    """The root of the mean squared error."""
    squares = (np.asarray(said, np.float64) - np.asarray(truth)) ** 2
    return lambda at: float(np.sqrt(squares[at].mean()))


def mae(truth: Sequence[float], said: Sequence[float]) -> Statistic:
    """The mean of the errors without their sign."""
    errors = np.abs(np.asarray(said, np.float64) - np.asarray(truth))
    return lambda at: float(errors[at].mean())


def r2(truth: Sequence[float], said: Sequence[float]) -> Statistic:
    """1 − squared errors / squared distances from the mean of these examples."""
    is_, says = np.asarray(truth, np.float64), np.asarray(said, np.float64)

    def of(at: Places) -> float:
        spread = ((is_[at] - is_[at].mean()) ** 2).sum()
        return float(1 - ((says[at] - is_[at]) ** 2).sum() / spread) if spread else math.nan

    return of


def near(truth: float, said: float) -> float:
    """1 where it is right, less the farther it is off for its size."""
    return 1 / (1 + abs(said - truth) / (abs(truth) or 1))


ESTIMATE = Judge(
    (), number, kept, near,
    (
        Measure(Metric("rmse", "Root mean squared error", higher_is_better=False), rmse),
        Measure(Metric("mae", "Mean absolute error", higher_is_better=False), mae),
        Measure(Metric("r2", "Explained variance (R²)"), r2),
    ),
    open=True, wrap=features, ask=as_the_model_reads,
)  # fmt: skip
