"""A month is read from days, and says at every moment what its events say."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connections
from django.db.models import Q, Sum
from django.utils import timezone

from billing.metering import days, rollups
from billing.metering.models import DayRollup, Rollup, UsageEvent
from billing.metering.sums import day_of, hour_of
from tests.billing.metering.meanwhile import meanwhile

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime.fromisoformat("2026-03-20T15:20:00Z")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SUMS = {"n": Sum("requests"), "nanos": Sum("cost_nanos")}


def used(at: list[datetime], name: str = "") -> None:
    UsageEvent.objects.bulk_create(
        UsageEvent(
            id=f"use_{name}{n}", request_id=f"req_{name}{n}", workspace_id=f"ws_{n % 2}", model=f"a/{n % 3}", version_id="v",
            protocol="openai", units={"request": 1}, price_id="", cost_nanos=n + 1, latency_ms=1, recorded_at=moment,
        )
        for n, moment in enumerate(at)
    )  # fmt: skip


def told(start: datetime, end: datetime) -> tuple[int, int]:
    """Requests and nano-dollars that rollups say."""
    rows = list(days.sums(start, end, Q(workspace_id="ws_1"), ["model"], SUMS))
    return sum(row["n"] for row in rows), sum(row["nanos"] for row in rows)


def counted(start: datetime, end: datetime) -> tuple[int, int]:
    """The same from the events."""
    events = UsageEvent.objects.filter(workspace_id="ws_1", recorded_at__gte=start, recorded_at__lt=end)
    sums = events.aggregate(nanos=Sum("cost_nanos", default=0))
    return events.count(), sums["nanos"]


TIMES = [
    (hour_of(NOW) - 30 * DAY, hour_of(NOW)),
    (day_of(NOW) - 30 * DAY, day_of(NOW)),
    (day_of(NOW) - 3 * HOUR, day_of(NOW) + 5 * HOUR),
    (day_of(NOW) - DAY, day_of(NOW)),
    (day_of(NOW) + HOUR, day_of(NOW) + 2 * HOUR),
    (day_of(NOW) - 30 * DAY, day_of(NOW) - 27 * DAY + HOUR),
    (day_of(NOW) - 29 * DAY - HOUR, day_of(NOW) - 27 * DAY),
    (NOW.replace(minute=0), NOW.replace(minute=0)),
]


def test_whatever_hours_are_asked_for_the_sums_are_the_events() -> None:
    dice = random.Random(7)
    used([NOW - timedelta(minutes=dice.randrange(31 * 24 * 60)) for _ in range(400)])
    for folded in (False, True):
        for start, end in TIMES:
            assert told(start, end) == counted(start, end), (start, end, folded)
        assert told(*TIMES[0])[0] > 150
        rollups.roll_up(NOW)


def test_usage_that_comes_late_is_counted_before_and_after_it_is_folded() -> None:
    used([NOW - 5 * DAY] * 8)
    rollups.roll_up(NOW)
    used([NOW - 5 * DAY] * 4, name="late")
    assert told(NOW - 10 * DAY, NOW)[0] == 6
    rollups.roll_up(NOW)
    assert told(NOW - 10 * DAY, NOW)[0] == 6
    assert DayRollup.objects.filter(workspace_id="ws_1").aggregate(n=Sum("requests"))["n"] == 6
    assert rollups.differences() == []


def test_who_reads_while_others_fold_misses_and_doubles_nothing() -> None:
    now = timezone.now()
    with meanwhile(lambda: rollups.roll_up(now), rollups.rebuild):
        for turn in range(1, 26):
            used([now - 2 * DAY] * 2, name=f"{turn}_")
            for _ in range(4):
                assert told(now - 3 * DAY, now)[0] == turn


def test_an_older_installation_gets_its_days() -> None:
    used([NOW - n * 7 * HOUR for n in range(60)])
    rollups.roll_up(NOW)
    names = [field.name for field in DayRollup._meta.fields if field.name != "id"]
    before = list(DayRollup.objects.order_by(*names[:6]).values_list(*names))
    DayRollup.objects.all().delete()
    import_module("billing.migrations.0023_daily_rollups").sum_up(apps, None)
    assert list(DayRollup.objects.order_by(*names[:6]).values_list(*names)) == before
    assert rollups.differences() == []


def test_a_month_of_a_busy_workspace_is_read_from_few_rows() -> None:
    used([NOW - n * HOUR for n in range(24 * 40)])
    rollups.roll_up(NOW)
    assert Rollup.objects.filter(workspace_id="ws_1").count() == 480
    with connections["default"].execute_wrapper(_only_of_ends):
        told(day_of(NOW) - 30 * DAY, hour_of(NOW))


def _only_of_ends(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
    """Hours are read of the day that is not whole only, those that wait to be folded aside."""
    parts = sql.split("UNION ALL")
    assert len(parts) == 3
    assert sum("billing_dayrollup" in part for part in parts) == 1
    return execute(sql, params, many, context)
