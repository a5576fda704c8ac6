"""How sure a figure on few examples is: the percentile bootstrap (Efron 1979; Efron and Tibshirani 1993, ch. 13).

The examples are drawn again with replacement, as many as there are, RESAMPLES times; the figure of each draw is worked out
anew, and the interval reaches from the 2.5 % quantile of these to the 97.5 % one (of the values themselves, none between
two). The draws come from a fixed seed, so the same answers give the same interval. Models are drawn together: their
difference is that on the same examples. With fewer than about thirty examples read it as a hint: where all of them came
out alike it has no width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES, SEED = 1_000, 20_260
ENDS = (0.025, 0.975)
Places = NDArray[np.int64]  # of examples, each as often as it was drawn
Statistic = Callable[[Places], float]  # NaN where it cannot be said of these


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure, and between which two it lies with 95 % confidence."""

    value: float
    low: float
    high: float


def interval(statistic: Statistic, count: int, resamples: int = RESAMPLES) -> Interval | None:
    """The statistic of `count` examples with its interval; None where it cannot be said of them."""
    value = statistic(np.arange(count)) if count else np.nan
    if np.isnan(value):
        return None
    low, high = ends(draws(statistic, count, resamples))
    return Interval(float(value), low, high)


def draws(statistic: Statistic, count: int, resamples: int = RESAMPLES) -> NDArray[np.float64]:
    """The statistic of each draw; the n-th draw of so many examples is always the same."""
    random = np.random.default_rng(SEED)
    return np.asarray([statistic(random.integers(0, count, count)) for _ in range(resamples)], np.float64)


def ends(values: NDArray[Any]) -> tuple[float, float]:
    """Where the middle 95 % of the values begin and end. Draws of which nothing could be said are left out."""
    low, high = np.nanquantile(values, ENDS, method="inverted_cdf")
    return float(low), float(high)
