"""Finding models: words that may be mistyped, narrowed by facets, in an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from marketplace.catalog import nearness, shelf
from marketplace.catalog.facets import FACETS, Choice, Mask
from marketplace.catalog.matching import Matched, match
from marketplace.catalog.models import Model
from marketplace.catalog.shelf import Shelf
from marketplace.catalog.visibility import Reader, listed, on_shelf
from marketplace.tasks import registry
from portal.kit.errors import Problem

SORTS = ("relevance", "newest", "cheapest", "used", "fastest", "quality", "rated", "name")
PAGE = 24
MOST_VALUES = 20  # of one facet
Floats = NDArray[np.float64]


class SearchInvalid(Problem):
    """A facet or order that does not exist."""

    status = 422
    code = "search_invalid"


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. `chosen`: facet → values, of which a model has one; `live`: only those that answer calls."""

    words: str = ""
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sort: str = "relevance"
    live: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A page of models and how many there are in all; facet → choices; what was read otherwise than it was typed."""

    models: list[Model]
    total: int
    facets: dict[str, list[Choice]]
    without: dict[str, int]  # facet that is chosen → how many there would be without it
    matched: Matched


def search(query: Query, reader: Reader, begin: int = 0, count: int = PAGE, counted: bool = True) -> Found:
    """The models listed for the reader which fit, from the `begin`th, `count` of them; facets where they are `counted`.

    Facets are counted over all that fit the others. Raises SearchInvalid for an unknown task or sort.
    """
    if query.sort not in SORTS:
        raise SearchInvalid(f"Sort by one of {', '.join(SORTS)}.", param="sort")
    for task in query.chosen.get("task", ()):
        check_task(task)
    chosen = {name: list(values)[:MOST_VALUES] for name, values in query.chosen.items() if values and name in FACETS}
    wanted = nearness.sought(query.words)
    with shelf.lock:
        held = shelf.fresh()
        seen = on_shelf(held, reader)
        seen[held.gone] = False
        if query.live:
            seen &= held["live"] != 0
        matched = match(held, query.words, seen)
        matched = nearness.joined(matched, nearness.near(held, wanted), seen, query.sort == "relevance")
        masks = {name: FACETS[name].chosen(held, values) for name, values in chosen.items()}
        fitting = _all(matched.rows, masks)
        facets, without = {}, {}
        for name, facet in FACETS.items() if counted else ():
            others = _all(matched.rows, {other: mask for other, mask in masks.items() if other != name})
            facets[name] = facet.choices(held, others, chosen.get(name, ()))
            if name in chosen:
                without[name] = int(np.count_nonzero(others))
        rows = _ordered(held, np.flatnonzero(fitting), query.sort, matched.scores, begin + count)[begin:]
        ids = [held.ids[row] for row in rows]
        total = int(np.count_nonzero(fitting))
    # Asked again of the database: what is private since a moment is not shown.
    models = listed(reader).in_bulk(ids)
    return Found([models[pk] for pk in ids if pk in models], total, facets, without, matched)


def check_task(name: str) -> None:
    """Raises SearchInvalid where there is no such task."""
    if name not in registry.TASKS:
        raise SearchInvalid(f"There is no task {name[:40]!r}.", param="task")


def _all(rows: Mask, masks: Mapping[str, Mask]) -> Mask:
    for mask in masks.values():
        rows = rows & mask
    return rows


def _ordered(held: Shelf, rows: NDArray[np.int64], sort: str, scores: Floats, count: int) -> NDArray[np.int64]:
    """The first `count` of the rows: by the sort, then those that are used more, then the newer ones."""
    if sort == "name":
        first = held["title_1"][rows].astype(np.float64)
    elif sort == "cheapest":
        first = held["price"][rows]
    elif sort == "fastest":
        first = held["p50"][rows]
    elif sort == "newest":
        first = -held["created"][rows]
    elif sort == "used":
        first = -held["requests"][rows]
    elif sort == "rated":
        first = -held["rating"][rows]
    elif sort == "quality":
        first = -held.kept("places", lambda: _places(held["task"], held["quality"]))[rows]
    else:
        first = -(scores[rows] + _USED * np.log1p(held["requests"][rows]) + _LIVE * held["live"][rows])
    first = np.nan_to_num(first.astype(np.float64), nan=np.inf)
    if len(rows) > 4 * count:  # only those that may come first are put in order
        kept = first <= np.partition(first, count - 1)[count - 1]
        rows, first = rows[kept], first[kept]
    ties = (
        (held["title_2"][rows], held["title_1"][rows])
        if sort == "name"
        else (-held["created"][rows], -held["requests"][rows])
    )
    return rows[np.lexsort((*ties, first))][:count]


_USED, _LIVE = 0.15, 0.5  # beside words, of which a name counts 3 and more


def _places(tasks: NDArray[np.int64], quality: Floats) -> Floats:
    """Of all models: from 1, the best of its task, down to 0: figures of different tasks cannot be compared. NaN where nothing was measured."""
    order = np.lexsort((np.nan_to_num(quality, nan=-np.inf), tasks))
    counts = np.bincount(tasks, minlength=1)
    begins = (np.cumsum(counts) - counts)[tasks[order]]
    places = np.empty(len(tasks))
    places[order] = (np.arange(len(tasks)) - begins + 1) / counts[tasks[order]]
    places[np.isnan(quality)] = np.nan
    return places
