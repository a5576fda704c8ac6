"""Hourly sums of usage events, made again from the events as often as one likes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Count, Max, Min, Sum

from billing.metering.models import Rollup, UsageEvent

# An event is stamped when it is committed, so an hour is complete a moment after it ends; this is generous.
OPEN_FOR = timedelta(minutes=5)
_GROUP = ("workspace_id", "model", "key_id", "funding")
_LOCK = 7_274_001  # PostgreSQL advisory lock: two roll-ups at once would write older sums over newer ones


def hour_of(moment: datetime) -> datetime:
    """The start of the hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def roll_up(now: datetime) -> int:
    """Sums the hours that may still grow; how many rollups were written."""
    return sum(_sum_hour(hour) for hour in _hours(hour_of(now - OPEN_FOR), now))


def rebuild() -> int:
    """Sums every hour anew, and drops rollups that no event supports; how many rollups there are."""
    span = UsageEvent.objects.aggregate(first=Min("recorded_at"), last=Max("recorded_at"))
    with transaction.atomic():
        _one_at_a_time()
        Rollup.objects.all().delete()
        if span["first"] is None:
            return 0
        return sum(_sum_hour(hour) for hour in _hours(hour_of(span["first"]), span["last"]))


def differences() -> list[str]:
    """Hours whose rollups are not the sum of their events, open hours aside; empty when all is right."""
    last = Rollup.objects.aggregate(last=Max("hour"))["last"]
    if last is None:
        return []
    events = UsageEvent.objects.filter(recorded_at__lt=last).aggregate(n=Count("id"), nanos=Sum("cost_nanos"))
    rollups = Rollup.objects.filter(hour__lt=last).aggregate(n=Sum("requests"), nanos=Sum("cost_nanos"))
    if (events["n"] or 0, events["nanos"] or 0) == (rollups["n"] or 0, rollups["nanos"] or 0):
        return []
    return [f"before {last:%Y-%m-%d %H:00}: events {events}, rollups {rollups}"]


def _hours(first: datetime, last: datetime) -> Iterator[datetime]:
    while first <= last:
        yield first
        first += timedelta(hours=1)


def _sum_hour(hour: datetime) -> int:
    with transaction.atomic():
        _one_at_a_time()
        sums = (
            UsageEvent.objects.filter(recorded_at__gte=hour, recorded_at__lt=hour + timedelta(hours=1))
            .values(*_GROUP)
            .annotate(requests=Count("id"), nanos=Sum("cost_nanos"))
            .order_by()
        )
        rows = [
            Rollup(hour=hour, requests=s["requests"], cost_nanos=s["nanos"], **{name: s[name] for name in _GROUP})
            for s in sums
        ]
        Rollup.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["workspace_id", "hour", "model", "key_id", "funding"],
            update_fields=["requests", "cost_nanos"],
        )
    return len(rows)


def _one_at_a_time() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
