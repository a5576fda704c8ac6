"""The best models of a task: what they reach, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from billing import money
from marketplace.catalog.models import Listing, Model
from marketplace.catalog.search import Query, search
from marketplace.catalog.visibility import Reader
from marketplace.tasks.task import Metric, Task

MOST = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A model on the board: its rank, its figures as the task's metrics name them, and whether none is both cheaper and better."""

    rank: int
    model: Model
    price_nanos: int
    quality: float  # more is better
    figures: list[tuple[Metric, str]]
    best_for_its_price: bool


def board(task: Task, reader: Reader) -> list[Place]:
    """The first MOST of the measured models listed for the reader, by the task's first metric."""
    query = Query("", {"task": [task.name], "quality": ["measured"]}, "quality", live=True)
    models = search(query, reader, count=MOST, counted=False).models
    listed = Listing.objects.in_bulk([model.pk for model in models])
    known = [(model, listed[model.pk]) for model in models if model.pk in listed]
    best = _frontier([row for _model, row in known])
    return [
        Place(rank, model, row.price_nanos, row.quality or 0, _figures(task, model), row.pk in best)
        for rank, (model, row) in enumerate(known, 1)
    ]


def scatter(task: Task, places: Sequence[Place]) -> dict[str, Any] | None:
    """The chart: dollars of a typical request against the first metric; None for fewer than two models."""
    if len(places) < 2 or not task.metrics:
        return None
    metric = next(
        (one for one in task.metrics if any(one.name in _metrics(place.model) for place in places)), task.metrics[0]
    )
    shown = sorted(
        (place for place in places if metric.name in _metrics(place.model)),
        key=lambda place: (place.price_nanos, -place.quality),
    )
    heights = [_metrics(place.model)[metric.name] * (100 if metric.percent else 1) for place in shown]
    return {
        "x": [place.price_nanos / money.NANOS for place in shown],
        "names": [place.model.title for place in shown],
        "points": True,
        "series": [
            {"label": "", "values": [None if place.best_for_its_price else height for place, height in zip(shown, heights, strict=True)]},
            {"label": "", "values": [height if place.best_for_its_price else None for place, height in zip(shown, heights, strict=True)]},
        ],
    }  # fmt: skip


def _frontier(rows: Sequence[Listing]) -> set[str]:
    """Those that no other beats: none is at least as good for less, or better for the same."""
    best: set[str] = set()
    reached = float("-inf")
    for row in sorted(rows, key=lambda row: (row.price_nanos, -(row.quality or 0))):
        if row.quality is not None and row.quality > reached:
            best.add(row.pk)
            reached = row.quality
    return best


def _figures(task: Task, model: Model) -> list[tuple[Metric, str]]:
    found = _metrics(model)
    return [(one, one.show(found[one.name]) if one.name in found else "–") for one in task.metrics]


def _metrics(model: Model) -> dict[str, float]:
    return dict(model.live_version.metrics) if model.live_version else {}
