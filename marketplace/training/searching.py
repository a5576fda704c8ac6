"""A search: a run for each combination of chosen values, one after another within one budget; the best on the validation
split wins. The test split chooses nothing: what it says is kept, and shown, of the winner alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import product
from math import prod
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.plans.terms import Terms
from marketplace.errors import DatasetInvalid
from marketplace.tasks import registry
from marketplace.tasks.task import Task
from marketplace.training import keeping, runs
from marketplace.training.models import TO_DO, Dataset, Run, RunState, Search

MOST_RUNS = 24
Grid = Mapping[str, Sequence[Any]]


def size(grid: Grid) -> int:
    """How many runs it is."""
    return prod(len(values) for values in grid.values())


def begin(table: Dataset, recipe: str, grid: Grid, asked: Mapping[str, Any], budget_s: int, terms: Terms) -> Search:
    """The search and its queued runs, whose knobs are the product of the grid's values, at the price that holds now.

    Raises DatasetInvalid for more than MOST_RUNS.
    """
    count = size(grid)
    if not 0 < count <= MOST_RUNS:
        raise DatasetInvalid(
            _("These values make %(count)s runs: choose fewer, at most %(most)s.") % {"count": count, "most": MOST_RUNS}
        )
    with transaction.atomic():
        search = Search.objects.create(
            workspace_id=table.workspace_id,
            table=table,
            dataset=table.name,
            recipe=recipe,
            grid={name: list(values) for name, values in grid.items()},
            asked=dict(asked),
            budget_s=budget_s,
        )
        for at, values in enumerate(product(*grid.values())):
            params = dict(zip(grid, values, strict=True))
            run = runs.queue_table(table, recipe, params, asked, budget_s // count, terms)
            # In the order of the grid, however many begin within a tick of the clock.
            Run.objects.filter(pk=run.pk).update(
                search=search, created_at=search.created_at + timedelta(microseconds=at)
            )
    return search


def allot(run: Run) -> None:
    """Gives a run of a search, at its first attempt, its share of what the others left of the budget.

    No run uses more than its share, so all together use no more than the budget, and nobody's share shrinks.
    """
    if run.search is None or run.attempts != 1:
        return
    others = list(run.search.runs.exclude(pk=run.pk))
    spent_ms = sum(min(one.used_ms, one.budget_s * 1000) for one in others if one.over)
    begun_ms = sum(one.budget_s * 1000 for one in others if not one.over and one.attempts)
    waiting = 1 + sum(not one.over and not one.attempts for one in others)
    run.budget_s = runs.most_s((run.search.budget_s * 1000 - spent_ms - begun_ms) // (1000 * waiting))
    Run.objects.filter(pk=run.pk).update(budget_s=run.budget_s)


def ranked(search: Search) -> list[Run]:
    """All its runs: the best on the validation split first, then those without a figure in the order of the grid."""
    task = registry.get(search.asked["task"])
    return sorted(search.runs.order_by("created_at"), key=lambda run: _rank(run, task), reverse=True)


def _rank(run: Run, task: Task) -> tuple[Any, ...]:
    """The task's metrics, the first most: of equals the next one decides."""
    found = (run.outcome or {}).get("validation", {}) if run.state == RunState.SUCCEEDED else {}
    return tuple(
        (metric.name in found, found.get(metric.name, 0.0) * (1 if metric.higher_is_better else -1))
        for metric in task.metrics
    )


def tend(search: Search) -> None:
    """Keeps the model of the best run so far, and none that it beat; names the winner once all have ended.

    It may be called at any time, and by several at once: what is dropped was beaten by something that is there.
    """
    over = not search.runs.filter(state__in=TO_DO).exists()
    best, *others = ranked(search)
    for run in others:
        if run.state == RunState.SUCCEEDED and run.purged_at is None:
            keeping.drop_beaten(run)
    if over:
        winner = best if best.state == RunState.SUCCEEDED else None
        Search.objects.filter(pk=search.pk, ended_at=None).update(winner=winner, ended_at=timezone.now())


def tend_open() -> None:
    """Tends what a process that died left."""
    for search in Search.objects.filter(ended_at=None):
        tend(search)


def cancel(search: Search, now: datetime) -> None:
    """Ends those that wait, and within seconds the one that is being trained; what was used is billed, the best stays."""
    for run in search.runs.filter(state__in=TO_DO).order_by("-created_at"):
        runs.cancel(run, now)
    tend(search)
