"""The log of a workspace's usage: each page begins where the one before ended, wherever that is."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.metering.log import Log
from billing.metering.models import UsageEvent

pytestmark = pytest.mark.django_db
NOW = datetime.fromisoformat("2026-03-20T15:20:00Z")


@pytest.fixture(autouse=True)
def _used() -> None:
    """Four at each moment."""
    UsageEvent.objects.bulk_create(
        UsageEvent(
            id=f"use_{n * 7 % 60:03}", request_id=f"req_{n}", workspace_id="ws_1", model="a/b", version_id="v", protocol="openai",
            units={}, price_id="", cost_nanos=1, latency_ms=1, recorded_at=NOW - timedelta(hours=n // 4),
        )
        for n in range(60)
    )  # fmt: skip


def test_pages_follow_one_another_without_a_gap_or_a_repetition() -> None:
    seen: list[UsageEvent] = []
    while page := Log("ws_1").newest(7, (seen[-1].recorded_at, seen[-1].pk) if seen else None):
        seen += page
    everything = sorted(UsageEvent.objects.all(), key=lambda event: (event.recorded_at, event.pk))
    assert seen == everything[::-1]
    assert list(Log("ws_1").oldest_first()) == everything


def test_a_deep_page_begins_at_its_place_in_the_index() -> None:
    with CaptureQueriesContext(connection) as asked:
        Log("ws_1").newest(7, (NOW - timedelta(hours=9), "use_030"))
        list(Log("ws_1").oldest_first())
    pages = [query["sql"] for query in asked if "billing_usageevent" in query["sql"]]
    assert len(pages) >= 2
    for sql in pages:
        _, where = sql.split(" WHERE ", 1)
        assert (where.count('"recorded_at" >= '), where.count('"recorded_at" < ')) in ((1, 1), (1, 2)), where
        assert where.count('"recorded_at" <= ') == 0
