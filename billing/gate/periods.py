"""Periods of budgets: days, ISO weeks and months of UTC, whatever zone a server or its reader is in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from billing.gate.models import Period

ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)  # when the one period of a total began


def bounds(period: str, now: datetime) -> tuple[datetime, datetime | None]:
    """When the period around `now` (aware) began and when it ends; None: never."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == Period.DAY:
        return day, day + timedelta(days=1)
    if period == Period.WEEK:
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    if period == Period.MONTH:
        first = day.replace(day=1)
        return first, (first + timedelta(days=32)).replace(day=1)
    return ALWAYS, None


def midnight_after(now: datetime) -> datetime:
    """The end of the UTC day: every period that ends, ends at one."""
    return bounds(Period.DAY, now)[0] + timedelta(days=1)
