"""The results of a run, as its row keeps them: figures of each model with their intervals, by slice, and telling examples.

A model is judged on the examples that it answered; refusals and failures are counted beside. Nothing here reads inputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.golden.intervals import Interval, draws, ends, interval
from inference.golden.judges.judge import Json, Judge, Measure
from inference.golden.judges.registry import JUDGES
from inference.golden.models import GoldenAnswer, GoldenRun

MOST_TELLING = 20  # examples that are shown
MOST_REASONS = 3  # of refusals
OK = 200


@dataclass(frozen=True, slots=True)
class Answered:
    """A model's answers by the number of their example."""

    good: dict[int, GoldenAnswer]
    refused: list[GoldenAnswer]

    def said(self, numbers: Sequence[int]) -> list[Json]:
        """To these examples."""
        return [self.good[number].said for number in numbers]


def results(run: GoldenRun) -> dict[str, Any]:
    """{"models": …, "slices": …, "telling": …}; a figure is [value, low, high], or None where there is none."""
    judge = JUDGES[run.golden_set.task]
    rows = run.golden_set.examples.order_by("number").values_list("number", "expected", "slices")
    truth = {number: expected for number, expected, _slices in rows}
    slices = {number: own for number, _expected, own in rows}
    columns = [Answered({}, []) for _ in run.versions]
    for answer in run.answers.exclude(status=None).order_by("number"):
        if answer.status == OK:
            columns[answer.column].good[answer.number] = answer
        else:
            columns[answer.column].refused.append(answer)
    return {
        "models": [
            {"model": model, **_of_model(judge, column, truth)}
            for model, column in zip(run.versions, columns, strict=True)
        ],
        "behind": _behind(judge, columns, truth),
        "slices": _by_slice(judge, columns, truth, slices),
        "telling": _telling(judge, columns, truth),
    }


def shorten(run: GoldenRun) -> None:
    """Keeps of each answer of a run that is judged what pages show. Twice does nothing more."""
    judge = JUDGES[run.golden_set.task]
    if judge.shorten is None:
        return
    truth = dict(run.golden_set.examples.values_list("number", "expected"))
    for column in range(len(run.versions)):
        answers = list(run.answers.filter(column=column, status=OK).order_by("number"))
        if answers and "place" not in answers[0].said:
            short = judge.shorten([truth[one.number] for one in answers], [one.said for one in answers])
            for answer, said in zip(answers, short, strict=True):
                answer.said = said
            GoldenAnswer.objects.bulk_update(answers, ["said"], batch_size=100)


def _of_model(judge: Judge, column: Answered, truth: Mapping[int, Json]) -> dict[str, Any]:
    numbers = sorted(column.good)
    costs = [one.cost_nanos for one in column.good.values()]
    latencies = [one.latency_ms or 0 for one in column.good.values()]
    reasons = Counter(str(one.said)[:300] for one in column.refused)
    return {
        "answered": len(numbers),
        "errors": len(column.refused),
        "reasons": reasons.most_common(MOST_REASONS),
        "figures": {one.metric.name: _figure(one, column, numbers, truth) for one in judge.measures},
        "cost_nanos": sum(costs) + sum(one.cost_nanos for one in column.refused),
        "per_1000_nanos": round(1000 * sum(costs) / len(costs)) if costs else None,
        "p50_ms": _percentile(latencies, 50),
        "p95_ms": _percentile(latencies, 95),
    }


def _percentile(values: Sequence[int], share: int) -> int | None:
    return int(np.percentile(values, share, method="inverted_cdf")) if values else None


def _figure(
    measure: Measure, column: Answered, numbers: Sequence[int], truth: Mapping[int, Json]
) -> list[float] | None:
    if not numbers:
        return None
    statistic = measure.of([truth[number] for number in numbers], column.said(numbers))
    return _listed(interval(statistic, len(numbers), measure.resamples))


def _listed(found: Interval | None) -> list[float] | None:
    return None if found is None else [round(number, 6) for number in (found.value, found.low, found.high)]


def _behind(judge: Judge, columns: Sequence[Answered], truth: Mapping[int, Json]) -> list[list[float] | None]:
    """By how much each model is behind the best in the first figure, on the examples that both answered; None: the best.

    Draws are of examples, so what is hard for both does not widen the interval (a paired bootstrap).
    """
    measure = judge.measures[0]
    sign = 1 if measure.metric.higher_is_better else -1
    values = [_figure(measure, column, sorted(column.good), truth) for column in columns]
    best = max(
        (at for at, one in enumerate(values) if one), key=lambda at: sign * (values[at] or [0.0])[0], default=None
    )
    found: list[list[float] | None] = []
    for at, column in enumerate(columns):
        both = sorted(columns[best].good.keys() & column.good.keys()) if best is not None and at != best else []
        if best is None or not both:
            found.append(None)
            continue
        is_ = [truth[number] for number in both]
        lead, own = (measure.of(is_, one.said(both)) for one in (columns[best], column))
        whole = np.arange(len(both))
        gaps = sign * (draws(lead, len(both), measure.resamples) - draws(own, len(both), measure.resamples))
        value = sign * (lead(whole) - own(whole))
        found.append(None if np.isnan(value) else _listed(Interval(float(value), *ends(gaps))))
    return found


def _by_slice(
    judge: Judge, columns: Sequence[Answered], truth: Mapping[int, Json], slices: Mapping[int, Mapping[str, str]]
) -> list[dict[str, Any]]:
    """The first figure of each model on the examples of each value of each slice."""
    pairs = sorted({pair for own in slices.values() for pair in own.items()})
    found = []
    for name, value in pairs:
        own = [number for number in truth if slices[number].get(name) == value]
        figures = [_figure(judge.measures[0], one, [n for n in own if n in one.good], truth) for one in columns]
        found.append({"name": name, "value": value, "examples": len(own), "figures": figures})
    return found


def _telling(judge: Judge, columns: Sequence[Answered], truth: Mapping[int, Json]) -> list[dict[str, Any]]:
    """Examples on which the models differ most, then those that all of them got most wrong."""
    found: list[dict[str, Any]] = []
    for number, expected in truth.items():
        good = [judge.good(expected, one.good[number].said) if number in one.good else None for one in columns]
        known = [one for one in good if one is not None]
        if known and (min(known) < 1):
            found.append({"number": number, "good": [None if one is None else round(one, 4) for one in good]})
    found.sort(key=lambda one: _order([score for score in one["good"] if score is not None]))
    return found[:MOST_TELLING]


def _order(scores: Sequence[float]) -> tuple[float, float]:
    return min(scores) - max(scores), sum(scores) / len(scores)
