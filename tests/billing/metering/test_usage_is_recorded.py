"""Events on disk, in groups, and their sums."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from billing.errors import StoreDown
from billing.metering import recorder, rollups
from billing.metering.models import Rollup, UsageEvent
from billing.metering.recorder import Recorder, Usage
from portal.accounts.models import Workspace

FREE = Usage(
    request_id="req_x", workspace_id="ws_x", key_id="key_x", model="a/b", version_id="ver_x", replica="rep_x",
    protocol="openai", units={"request": 1}, price_id="", cost_nanos=7, lease_id="", funding="", latency_ms=3,
)  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_an_event_is_there_when_record_returns() -> None:
    event_id, cost_nanos = recorder.record(FREE)
    event = UsageEvent.objects.get(pk=event_id)
    assert (event.units, event.cost_nanos, event.model, cost_nanos) == ({"request": 1}, 7, "a/b", 7)
    assert abs(event.recorded_at - timezone.now()) < timedelta(seconds=5)


@pytest.mark.django_db(transaction=True)
def test_an_event_says_by_what_it_was_charged_and_who_sold_it() -> None:
    recorder.record(replace(FREE, factor_bp=5_000, seller_id="ws_seller"))
    recorder.record(FREE)
    charged = UsageEvent.objects.order_by("recorded_at", "id").values_list("factor_bp", "tier_from", "seller_id")
    assert list(charged) == [(5_000, None, "ws_seller"), (10_000, None, "")]


@pytest.mark.django_db(transaction=True)
def test_many_threads_at_once_have_one_event_each() -> None:
    ids: list[str] = []

    def client(number: int) -> None:
        ids.extend(recorder.record(replace(FREE, request_id=f"req_{number}_{i}")).event_id for i in range(25))

    threads = [threading.Thread(target=client, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 400
    assert set(UsageEvent.objects.values_list("pk", flat=True)) == set(ids)


@pytest.mark.django_db(transaction=True)
def test_a_store_that_is_down_is_said_so_and_the_next_event_is_kept() -> None:
    own = Recorder()
    own.record(FREE)
    assert own._connection is not None
    own._connection.connection.close()  # as a database that went away
    with pytest.raises(StoreDown):
        own.record(FREE)
    own.record(FREE)
    own.close()
    assert UsageEvent.objects.count() == 2


def test_rollups_are_the_sums_of_events_however_often_they_are_made(workspace: Workspace) -> None:
    for cost in (1, 2, 3):
        recorder.record(replace(FREE, workspace_id=workspace.pk, cost_nanos=cost))
    for _ in range(3):
        rollups.roll_up(timezone.now())
    assert Rollup.objects.values_list("requests", "cost_nanos").get() == (3, 6)
    recorder.record(replace(FREE, workspace_id=workspace.pk, cost_nanos=10, key_id="key_y"))
    rollups.roll_up(timezone.now())
    before = sorted(Rollup.objects.values_list("hour", "key_id", "requests", "cost_nanos"))
    rollups.rebuild()
    assert sorted(Rollup.objects.values_list("hour", "key_id", "requests", "cost_nanos")) == before
    assert sum(row[3] for row in before) == 16
    connections.close_all()
