"""The results of a run for people: a table side by side, a picture of each figure's intervals, and telling examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from inference.golden.judges.judge import Json
from inference.golden.judges.registry import JUDGES
from inference.golden.models import Example, GoldenRun
from marketplace.tasks.task import Metric

WIDE, TALL, EDGE = 400, 26, 6  # of the picture and of a model's line in it
MOST_SHOWN = 300  # characters of an input or answer
MOST_DATA_URL = 200_000  # characters of a picture that is shown


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure of a model with its interval, in words; blank where there is none."""

    value: str = ""
    low: str = ""
    high: str = ""
    best: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric of all models: the cells, and where the lines of the picture are."""

    metric: Metric
    cells: list[Cell]
    lines: list[dict[str, float] | None]
    ends: tuple[str, str]  # of the axis
    height: int


def table(run: GoldenRun, shows_inputs: bool) -> dict[str, Any]:
    """What the templates of a run draw. `shows_inputs`: with the examples themselves."""
    judge, found = JUDGES[run.golden_set.task], run.results or {}
    columns = found.get("models", [])
    metrics = [one.metric for one in judge.measures]
    figures = [_figure(metric, [one["figures"].get(metric.name) for one in columns]) for metric in metrics]
    behind = [_behind(metrics[0], one) for one in found.get("behind", [])]
    return {
        "columns": columns,
        "figures": [one for one in figures if any(cell.value for cell in one.cells)],
        "behind": behind if any(behind) else [],
        "first": metrics[0],
        "slices": [
            {**one, "cells": _figure(metrics[0], one["figures"]).cells} for one in found.get("slices", [])
        ],
        "telling": _telling(run, found.get("telling", [])) if shows_inputs else [],
        "failed": [one for one in columns if one["reasons"]],
        "wide": WIDE,
    }  # fmt: skip


def _figure(metric: Metric, values: Sequence[Sequence[float] | None]) -> Figure:
    known = [one for one in values if one]
    shown = {one[0] for one in known}
    best = (max if metric.higher_is_better else min)(shown) if len(shown) > 1 else None
    low, high = (0.0, 1.0) if metric.percent else _span(known)
    return Figure(
        metric,
        [_cell(metric, one, best) for one in values],
        [_line(at, one, low, high) if one else None for at, one in enumerate(values)],
        (metric.show(low), metric.show(high)),
        TALL * len(values),
    )


def _cell(metric: Metric, one: Sequence[float] | None, best: float | None) -> Cell:
    if not one:
        return Cell()
    value, low, high = map(metric.show, one)
    return Cell(value, low, high, one[0] == best)


def _span(known: Sequence[Sequence[float]]) -> tuple[float, float]:
    low = min((one[1] for one in known), default=0.0)
    high = max((one[2] for one in known), default=1.0)
    low = 0.0 if 0 < low < high / 2 else low
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _line(at: int, one: Sequence[float], low: float, high: float) -> dict[str, float]:
    value, begin, end = (round(EDGE + (WIDE - 2 * EDGE) * (number - low) / (high - low), 1) for number in one)
    return {"value": value, "low": begin, "high": end, "y": TALL * at + TALL / 2}


def _behind(metric: Metric, one: Sequence[float] | None) -> dict[str, Any] | None:
    if not one:
        return None
    value, low, high = map(metric.show, one)
    return {"value": value, "low": low, "high": high, "clear": one[1] > 0}


def _telling(run: GoldenRun, found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    numbers = [one["number"] for one in found]
    examples: dict[int, Example] = {
        one.number: one for one in run.golden_set.examples.filter(number__in=numbers)
    }  # fmt: skip
    answers = {(one.number, one.column): one for one in run.answers.filter(number__in=numbers)}
    shown = []
    for one in found:
        example = examples[one["number"]]
        cells = []
        for column, good in enumerate(one["good"]):
            answer = answers.get((example.number, column))
            told = "" if answer is None or answer.status is None else said(answer.said)
            cells.append(
                {
                    "model": run.versions[column],
                    "said": told,
                    "right": good is not None and good >= 1,
                    "known": good is not None,
                }
            )
        shown.append(
            {
                "number": example.number,
                "input": asked(example.input),
                "image": image(example.input),
                "expected": said(example.expected),
                "slices": example.slices,
                "cells": cells,
            }
        )
    return shown


def asked(given: Json) -> str:
    """An input in a line or two."""
    if isinstance(given, dict):
        if isinstance(given.get("messages"), list) and len(given["messages"]) == 1:
            return said(given["messages"][0].get("content"))
        inner = given["features"] if isinstance(given.get("features"), dict) else given
        parts = {name: cell for name, cell in inner.items() if name not in ("image", "max_tokens")}
        if len(parts) == 1:
            return said(next(iter(parts.values())))
        return _cut(" · ".join(f"{name}: {said(cell)}" for name, cell in parts.items()))
    return said(given)


def said(answer: Json) -> str:
    """An answer, or what is expected, in a line or two."""
    match answer:
        case None:
            return ""
        case str():
            return _cut(answer)
        case {"label": label, "scores": dict(scores)}:
            return f"{label} ({100 * float(scores.get(label, 0)):.0f} %)"
        case {"place": place}:
            return f"№ {place}"
        case [{"names": _}, *_]:
            return _cut(" · ".join(str(one["names"][0]) for one in answer[:5]))
        case [{"label": _}, *_]:
            return _cut(" · ".join(str(one["label"]) for one in answer))
        case [str(), *_]:
            return _cut(" / ".join(map(str, answer)))
        case _:
            return _cut(orjson.dumps(answer).decode())


def image(given: Json) -> str:
    """The picture in an input, where it is not too large to be shown; else blank."""
    found = given.get("image", "") if isinstance(given, dict) else ""
    return found if isinstance(found, str) and found.startswith("data:image/") and len(found) < MOST_DATA_URL else ""


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
