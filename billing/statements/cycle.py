"""The running cycle: what was used so far, and what it will come to if things go on like this."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Q, Sum

from billing.metering import days as rollup_days
from billing.metering.models import Rollup
from billing.metering.sums import day_of, hour_of
from billing.plans.models import Subscription

LOOKS_BACK = 7  # days
LEAST = 2  # days of data: one says nothing about the next
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The cycle's cost in nano-dollars, if each day that is left is like the average, the quietest and the busiest of `days`."""

    days: int
    nanos: int
    low_nanos: int
    high_nanos: int


@dataclass(frozen=True, slots=True)
class Cycle:
    """From `start` until before `end`: the subscription's period, or the calendar month (UTC) without one."""

    start: datetime
    end: datetime
    days: list[tuple[date, int, int]]  # day, nano-dollars, requests; until today
    nanos: int
    requests: int
    forecast: Forecast | None  # None: too little is known


def cycle(workspace_id: str, subscription: Subscription | None, now: datetime) -> Cycle:
    """The cycle around `now`, summed from rollups."""
    today = day_of(now)
    start = today.replace(day=1)
    end = (start + timedelta(days=32)).replace(day=1)
    if subscription and subscription.period_start and subscription.period_end and subscription.period_end > now:
        start, end = subscription.period_start, subscription.period_end
    days = _by_day(workspace_id, hour_of(start), today + _DAY)
    nanos = sum(day[1] for day in days)
    known = [day[1] for day in _by_day(workspace_id, _known_since(workspace_id, today), today)]
    return Cycle(start, end, days, nanos, sum(day[2] for day in days), forecast(known, nanos, end - now))


def forecast(known: list[int], so_far: int, left: timedelta) -> Forecast | None:
    """A straight line from `so_far` through the `left` time; `known`: nano-dollars of complete days. None under LEAST days."""
    if len(known) < LEAST:
        return None

    def at(a_day: int) -> int:
        return so_far + a_day * int(left.total_seconds()) // int(_DAY.total_seconds())

    return Forecast(len(known), at(sum(known) // len(known)), at(min(known)), at(max(known)))


def _known_since(workspace_id: str, today: datetime) -> datetime:
    """The first of the LOOKS_BACK days before today on which the workspace was in use already; quiet days count."""
    before = Rollup.objects.filter(workspace_id=workspace_id, hour__lt=today).order_by("hour")
    first = before.values_list("hour", flat=True).first() or today
    return max(first, today - LOOKS_BACK * _DAY)


def _by_day(workspace_id: str, start: datetime, end: datetime) -> list[tuple[date, int, int]]:
    """`end`: a midnight."""
    first = day_of(start)
    found = {(first + n * _DAY).date(): [0, 0] for n in range((end - first).days)}
    aggregates = {"nanos": Sum("cost_nanos"), "n": Sum("requests")}
    for row in rollup_days.sums(start, end, Q(workspace_id=workspace_id), ["hour"], aggregates):
        of = found[row["hour"].date()]
        of[0] += row["nanos"]
        of[1] += row["n"]
    return [(day, nanos, n) for day, (nanos, n) in found.items()]
