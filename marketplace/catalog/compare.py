"""What a workspace's own usage would have cost on another model of the same task."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.plans.terms import Terms, terms_of
from billing.statements import usage
from billing.statements.rerate import Rerated, rerate
from billing.statements.usage import Share
from marketplace.catalog.models import Model
from marketplace.catalog.visibility import Reader, listed

LOOKS_BACK = timedelta(days=30)
MOST_CHOICES = 500


@dataclass(frozen=True, slots=True)
class Row:
    """The usage of one model: what it cost, and what it would cost on the other."""

    used: Share
    other: Rerated

    @property
    def difference_nanos(self) -> int:
        """How much more the other would cost; negative: less."""
        return self.other.nanos - self.used.cost_nanos


@dataclass(frozen=True, slots=True)
class Comparison:
    """The last 30 days on the models of a task, and all of it on one of them, at the price that holds today."""

    model: Model
    terms: Terms
    rows: list[Row]

    @property
    def paid_nanos(self) -> int:
        """What it did cost."""
        return sum(row.used.cost_nanos for row in self.rows)

    @property
    def other_nanos(self) -> int:
        """What it would cost."""
        return sum(row.other.nanos for row in self.rows)

    @property
    def difference_nanos(self) -> int:
        """How much more that is; negative: less."""
        return self.other_nanos - self.paid_nanos

    @property
    def unmeasured(self) -> list[str]:
        """Units that the model bills and that were not measured somewhere."""
        return sorted({unit for row in self.rows for unit in row.other.unmeasured})


def compare(model: Model, workspace_id: str, now: datetime) -> Comparison:
    """The workspace's last 30 days on models of the same task, re-rated at this one's price for this workspace."""
    terms = terms_of(model.pk, model.slug, workspace_id)
    shares = usage.breakdown(workspace_id, now - LOOKS_BACK, now, usage.By.MODEL)
    same = _of_task(model.task, [share.name for share in shares])
    return Comparison(
        model,
        terms,
        [
            Row(share, rerate(share.units, share.requests - share.failed, terms.scheme, terms.factor_bp))
            for share in shares
            if share.name in same
        ],
    )


def choices(reader: Reader, now: datetime) -> list[Model]:
    """The models listed for the workspace, of the tasks that it used in the last 30 days."""
    used = [share.name for share in usage.breakdown(reader.workspace_id, now - LOOKS_BACK, now, usage.By.MODEL)]
    tasks = {task for _slug, task in _tasks(used)}
    live = listed(reader).filter(task__in=tasks).exclude(live_version=None)
    return list(live.order_by("task", "title")[:MOST_CHOICES])


def _of_task(task: str, slugs: Iterable[str]) -> set[str]:
    return {slug for slug, its in _tasks(slugs) if its == task}


def _tasks(slugs: Iterable[str]) -> list[tuple[str, str]]:
    """(slug, task) of those that there still are."""
    wanted = set(slugs)
    names = {slug.partition("/")[2] for slug in wanted}
    found = Model.objects.filter(name__in=names).values_list("publisher__slug", "name", "task")
    return [(f"{who}/{name}", task) for who, name, task in found if f"{who}/{name}" in wanted]
