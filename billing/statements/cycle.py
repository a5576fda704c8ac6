"""The running cycle: what was used so far, and what it will come to if things go on like this."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db.models import Sum

from billing.metering.models import Rollup
from billing.metering.sums import hour_of
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
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = today.replace(day=1)
    end = (start + timedelta(days=32)).replace(day=1)
    if subscription and subscription.period_start and subscription.period_end and subscription.period_end > now:
        start, end = subscription.period_start, subscription.period_end
    since = min(start.replace(hour=0, minute=0, second=0, microsecond=0), today - LOOKS_BACK * _DAY)
    rollups = Rollup.objects.filter(workspace_id=workspace_id, hour__gte=since).values_list("hour")
    hours = list(rollups.annotate(nanos=Sum("cost_nanos"), n=Sum("requests")).order_by())
    days = _by_day([row for row in hours if row[0] >= hour_of(start)], start, today)
    nanos = sum(day[1] for day in days)
    complete = _by_day(hours, _known_since(workspace_id, today), today - _DAY)
    known = [day[1] for day in complete]
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


def _by_day(hours: list[tuple[datetime, int, int]], first: datetime, last: datetime) -> list[tuple[date, int, int]]:
    day, until = first.astimezone(UTC).date(), last.astimezone(UTC).date()
    found = {day + timedelta(days=n): [0, 0] for n in range((until - day).days + 1)}
    for hour, nanos, n in hours:
        if (of := found.get(hour.astimezone(UTC).date())) is not None:
            of[0] += nanos
            of[1] += n
    return [(day, nanos, n) for day, (nanos, n) in found.items()]
