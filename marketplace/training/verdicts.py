"""How good a run is, for its page: figures with their labels, beside the baseline, other versions and the folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.catalog.models import Version
from marketplace.tasks.task import Task
from marketplace.training import releasing
from marketplace.training.models import Run

NOTHING = "–"


def figures(task: Task, found: Mapping[str, float]) -> list[tuple[str, str]]:
    """Each metric that there is: its label and figure."""
    return [(one.label, one.show(found[one.name])) for one in task.metrics if one.name in found]


def metrics(task: Task, outcome: Mapping[str, Any], others: Sequence[Version]) -> list[tuple[str, str, str, list[str]]]:
    """Each metric of the test rows: its label, the figure, the baseline's, and those of other versions on their own rows."""

    def shown(metric: Any, of: Mapping[str, float]) -> str:
        return str(metric.show(of[metric.name])) if metric.name in of else NOTHING

    return [
        (
            one.label,
            shown(one, outcome["metrics"]),
            shown(one, outcome["baseline"]),
            [shown(one, v.metrics) for v in others],
        )
        for one in task.metrics
        if one.name in outcome.get("metrics", {})
    ]


def compared(task: Task, told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The version before on the same rows (recipes.comparing), each metric as label, before, now, and whether it is better."""
    if not told:
        return None
    before, now = told["metrics"]["before"], told["metrics"]["now"]
    rows = []
    for one in task.metrics:
        if one.name in before and one.name in now:
            same = one.show(before[one.name]) == one.show(now[one.name])
            better = None if same else (now[one.name] > before[one.name]) == one.higher_is_better
            rows.append((one.label, one.show(before[one.name]), one.show(now[one.name]), better))
    return {**told, "figures": rows, "same": told["rows"] - told["better"] - told["worse"]}


def folds(task: Task, found: Sequence[Mapping[str, float]]) -> list[tuple[str, str, str]]:
    """Metric, mean and spread (lowest to highest) of a cross-validation."""
    rows = []
    for metric in task.metrics:
        values = [fold[metric.name] for fold in found if metric.name in fold]
        if values:
            mean = metric.show(sum(values) / len(values))
            rows.append((metric.label, mean, f"{metric.show(min(values))} – {metric.show(max(values))}"))
    return rows


def following(run: Run, last: Sequence[Version]) -> dict[str, Any] | None:
    """What the run would be after the version before: its number, and what breaks callers."""
    if not last:
        return None
    number, changes = releasing.following(run, last[0])
    return {"version": last[0], "semver": number, "breaking": [one for one in changes if one.breaking]}
