"""Intervals of figures: worked out by hand where the bootstrap can be."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from inference.golden import intervals
from inference.golden.intervals import RESAMPLES, interval
from inference.golden.judges.judge import mean


def binomial_quantile(count: int, share: float) -> int:
    """The least number of hits by which the share of a fair binomial is reached."""
    so_far = 0.0
    for hits in range(count + 1):
        so_far += comb(count, hits) / 2**count
        if so_far >= share:
            return hits
    return count


def test_one_example_has_no_width() -> None:
    found = interval(mean([0.25]), 1)
    assert found is not None
    assert (found.value, found.low, found.high) == (0.25, 0.25, 0.25)


def test_the_mean_of_two_is_one_of_three_values() -> None:
    """Draws of {0, 1}: the mean is 0, ½ or 1 with chances ¼, ½, ¼, so 95 % reach over all of them."""
    found = interval(mean([0, 1]), 2)
    assert found is not None
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)
    values, counts = np.unique(intervals.draws(mean([0, 1]), 2), return_counts=True)
    assert values.tolist() == [0.0, 0.5, 1.0]
    assert counts / RESAMPLES == pytest.approx([0.25, 0.5, 0.25], abs=0.05)


def test_the_share_of_a_hundred_lies_where_the_binomial_says() -> None:
    """Drawing 50 of 100 hits again gives Bin(100, ½) / 100: its quantiles are 40 and 60 of a hundred."""
    assert (binomial_quantile(100, 0.025), binomial_quantile(100, 0.975)) == (40, 60)
    found = interval(mean([0] * 50 + [1] * 50), 100)
    assert found is not None
    assert found.value == 0.5
    assert found.low == pytest.approx(0.40, abs=0.01)
    assert found.high == pytest.approx(0.60, abs=0.01)


def test_the_same_answers_give_the_same_interval() -> None:
    values = np.linspace(0, 1, 37)
    assert interval(mean(values.tolist()), 37) == interval(mean(values.tolist()), 37)


def test_draws_of_which_nothing_can_be_said_are_left_out() -> None:
    assert interval(lambda at: float("nan"), 5) is None
    assert interval(mean([1.0]), 0) is None
    assert intervals.ends(np.asarray([np.nan, 1.0, 1.0])) == (1.0, 1.0)
