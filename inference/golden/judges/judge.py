"""A judge of a task: how an example is read, what is kept of an answer, and the figures by which models are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from inference.golden.intervals import RESAMPLES, Statistic
from marketplace.tasks.task import Metric, ModelSpec

Json = Any
MOST_CHARACTERS = 20_000  # of what is expected


class ExampleInvalid(ValueError):
    """What is wrong with an example, and what to change: for people."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of a task's models. `of`: what is right and what was said → the figure of any of these examples."""

    metric: Metric
    of: Callable[[Sequence[Json], Sequence[Json]], Statistic]
    resamples: int = RESAMPLES


@dataclass(frozen=True, slots=True)
class Judge:
    """`good` says of one answer how right it is, from 0 to 1: by it the examples that tell most are chosen.

    `fields` of the input are columns of a table, `lists` of these hold JSON; the first takes what comes as a bare `input`.
    `wrap`: the fields → the input as the task has it. `ask`: an example → the input for a model of this specification.
    """

    fields: tuple[str, ...]
    expected: Callable[[Json], Json]  # raises ExampleInvalid
    said: Callable[[Json], Json]  # of the output
    good: Callable[[Json, Json], float]  # what is right, what was said
    measures: tuple[Measure, ...]
    lists: tuple[str, ...] = ()
    open: bool = False  # any other column is a field too
    wrap: Callable[[dict[str, Json]], Json] = dict
    ask: Callable[[Json, Json, ModelSpec], Json] = field(default=lambda given, _expected, _spec: given)
    shorten: Callable[[Sequence[Json], Sequence[Json]], list[Json]] | None = None  # what of them is kept once judged


def mean(values: Sequence[float]) -> Statistic:
    """The mean of a number for each example."""
    numbers = np.asarray(values, np.float64)
    return lambda at: float(numbers[at].mean())


def of_each(good: Callable[[Json, Json], float]) -> Callable[[Sequence[Json], Sequence[Json]], Statistic]:
    """The mean of `good` over the examples."""
    return lambda truth, said: mean([good(one, other) for one, other in zip(truth, said, strict=True)])


def text(given: Json) -> str:
    """A text that is expected. Raises ExampleInvalid."""
    if isinstance(given, bool) or not isinstance(given, (str, int, float)):
        raise ExampleInvalid(_("What is expected must be a text."))
    found = str(given).strip()
    if not found:
        raise ExampleInvalid(_("What is expected is empty: write what the right answer is."))
    if len(found) > MOST_CHARACTERS:
        raise ExampleInvalid(_("What is expected has more than %(n)s characters.") % {"n": MOST_CHARACTERS})
    return found


def texts(given: Json) -> list[str]:
    """Texts of which each is right: one, or a list. Raises ExampleInvalid."""
    if isinstance(given, list) and not 1 <= len(given) <= 20:
        raise ExampleInvalid(_("What is expected is a text, or a list of 1 to 20 texts that are all right."))
    return [text(one) for one in (given if isinstance(given, list) else [given])]
