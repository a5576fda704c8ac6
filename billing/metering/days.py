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

from billing.metering.models import DayRollup, Rollup
from billing.metering.sums import day_of


def sums(
    start: datetime, end: datetime, where: Q, by: Sequence[str], aggregates: Mapping[str, Combinable]
) -> Iterator[dict[str, Any]]:
    """The aggregates of what rollups say of the hours from `start` until before `end`, by these columns and `where` that
    holds. A group comes up to four times, to be added; `hour` is that of a day or of an hour."""
    first, *more = (rows.filter(where).order_by().values(*by).annotate(**aggregates) for rows in _rows(start, end))
    yield from first.union(*more, all=True) if more else first


def _rows(start: datetime, end: datetime) -> Iterator[QuerySet[Any]]:
    first, last = day_of(start), day_of(end)
    if first < start:
        first += timedelta(days=1)
    if last <= first:
        yield _within(Rollup.objects.all(), start, end)
        return
    yield _within(DayRollup.objects.all(), first, last)
    yield _within(Rollup.objects.exclude(part=""), first, last)
    if start < first:
        yield _within(Rollup.objects.all(), start, first)
    if last < end:
        yield _within(Rollup.objects.all(), last, end)


def _within(rows: QuerySet[Any], start: datetime, end: datetime) -> QuerySet[Any]:
    return rows.filter(hour__gte=start, hour__lt=end)
