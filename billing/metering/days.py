"""The sums of a time: of its whole days from their rows, of the hours at its ends from theirs.

A day's row is the sum of its hours' folded rows, so the rows that no fold has seen yet come on top. All are read by one
statement: a fold between two would be missed or counted twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from billing.metering.models import DayRollup, Rollup
from billing.metering.sums import day_of


def sums(
    start: datetime, end: datetime, where: Q, by: Sequence[str], aggregates: Mapping[str, Combinable]
) -> Iterator[dict[str, Any]]:
    """The aggregates of what rollups say of the hours from `start` until before `end`, by these columns and `where` that
    holds. A group comes up to four times, to be added; `hour` is that of a day or of an hour."""
    first, *more = (rows.order_by().values(*by).annotate(**aggregates) for rows in _rows(start, end, where))
    yield from first.union(*more, all=True) if more else first


def _rows(start: datetime, end: datetime, where: Q) -> Iterator[QuerySet[Any]]:
    hours = Rollup.objects.filter(where)
    first, last = day_of(start), day_of(end)
    if first < start:
        first += timedelta(days=1)
    if last <= first:
        yield _within(hours, start, end)
        return
    yield _within(DayRollup.objects.filter(where), first, last)
    yield _unfolded(hours, first, last)
    if start < first:
        yield _within(hours, start, first)
    if last < end:
        yield _within(hours, last, end)


def _unfolded(hours: QuerySet[Rollup], start: datetime, end: datetime) -> QuerySet[Any]:
    """Few of many: found by the index of them alone. SQLite would take one of hours if a condition or a group had any use of it."""
    few = Rollup.objects.filter(pk__in=hours.exclude(part="").values("pk")).annotate(begun=Coalesce("hour", "hour"))
    return few.filter(begun__gte=start, begun__lt=end)


def _within(rows: QuerySet[Any], start: datetime, end: datetime) -> QuerySet[Any]:
    return rows.filter(hour__gte=start, hour__lt=end)
