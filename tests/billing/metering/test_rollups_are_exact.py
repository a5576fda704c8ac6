"""Sums of usage are right at every moment, whoever folds them, and can be made again to the byte."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils import timezone

from billing.metering import recorder, rollups
from billing.metering.models import DayRollup, Rollup, UsageEvent
from billing.metering.recorder import Usage
from tests.billing.metering.meanwhile import meanwhile

pytestmark = pytest.mark.django_db(transaction=True)
USED = Usage(
    request_id="req_x", workspace_id="ws_x", key_id="key_x", model="a/b", version_id="ver_x", replica="rep_x",
    protocol="openai", units={"input_token": 5, "request": 1}, price_id="", cost_nanos=7, lease_id="", funding="promo",
    latency_ms=3, seller_id="ws_seller",
)  # fmt: skip


def some(count: int = 40) -> None:
    """Usage of several workspaces, models and keys."""
    for n in range(count):
        recorder.record(
            replace(
                USED, workspace_id=f"ws_{n % 3}", key_id=f"key_{n % 2}", model=f"a/{n % 5}", cost_nanos=n,
                status="failed" if n % 7 == 0 else "succeeded", units={"request": 1, "output_token": n},
            )
        )  # fmt: skip


def event(**changed: Any) -> UsageEvent:
    """Not saved."""
    fields = {
        "id": "use_1", "request_id": "req_1", "workspace_id": "ws_x", "model": "a/b", "version_id": "v",
        "protocol": "openai", "units": {"request": 1}, "price_id": "", "cost_nanos": 11, "latency_ms": 1,
        "recorded_at": timezone.now(),
    }  # fmt: skip
    return UsageEvent(**(fields | changed))


def rows() -> list[tuple[Any, ...]]:
    """All rollups, of hours and of days, to the byte."""
    found = []
    for kind in (Rollup, DayRollup):
        names = [field.name for field in kind._meta.fields if field.name != "id"]
        found += sorted((kind.__name__, *map(repr, row)) for row in kind._default_manager.values_list(*names))
    return found


def sums() -> dict[str, int]:
    return Rollup.objects.aggregate(requests=Sum("requests"), failed=Sum("failed"), nanos=Sum("cost_nanos"))


def test_what_is_recorded_is_in_the_sums_before_anybody_folds() -> None:
    some()
    assert sums() == {"requests": 40, "failed": 6, "nanos": sum(range(40))}
    assert rollups.differences() == []


def test_folding_changes_no_sum_and_leaves_one_row_a_group() -> None:
    for _ in range(3):
        recorder.record(USED)
    assert rollups.roll_up(timezone.now()) == 3
    row = Rollup.objects.get()
    assert (row.requests, row.failed, row.cost_nanos, row.units) == (3, 0, 21, {"input_token": 15, "request": 3})
    assert (row.seller_id, row.part) == ("ws_seller", "")
    recorder.record(USED)
    assert rollups.roll_up(timezone.now()) == 1
    assert Rollup.objects.get().requests == 4
    assert rollups.roll_up(timezone.now()) == 0


def test_more_rows_than_a_fold_takes_are_folded_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "MOST_A_FOLD", 7)
    some()
    before = sums()
    assert rollups.roll_up(timezone.now()) == 40
    assert sums() == before
    assert not Rollup.objects.exclude(part="").exists()


def test_an_event_of_an_hour_long_past_is_summed_without_a_search() -> None:
    long_ago = timezone.now() - timedelta(days=3)
    event(recorded_at=long_ago).save()
    rollups.roll_up(timezone.now())
    row = Rollup.objects.get()
    assert (row.hour, row.cost_nanos) == (rollups.hour_of(long_ago), 11)
    event(id="use_2", recorded_at=long_ago, cost_nanos=4).save()
    rollups.roll_up(timezone.now())
    assert Rollup.objects.get().cost_nanos == 15


def test_events_that_are_written_together_bring_their_sums_along() -> None:
    UsageEvent.objects.bulk_create([event(id=f"use_{n}", workspace_id=f"ws_{n % 2}") for n in range(6)])
    assert rollups.differences() == []
    assert sums()["nanos"] == 66


def test_an_event_is_not_written_twice() -> None:
    event().save()
    with pytest.raises(IntegrityError), transaction.atomic():
        event(cost_nanos=500).save()
    assert sums()["nanos"] == 11


def test_an_event_that_is_rolled_back_leaves_no_sum() -> None:
    with transaction.atomic():
        event().save()
        transaction.set_rollback(True)
    assert not Rollup.objects.exists()


def test_rebuilt_rollups_are_the_same_to_the_byte() -> None:
    some()
    event(recorded_at=timezone.now() - timedelta(days=70), units={"row": 2, "image": 1}).save()
    rollups.roll_up(timezone.now())
    before, hours = rows(), Rollup.objects.count()
    Rollup.objects.all().delete()
    assert rollups.rebuild() == hours
    assert rows() == before
    DayRollup.objects.filter(workspace_id="ws_1").update(failed=5)
    DayRollup.objects.filter(workspace_id="ws_2").delete()
    assert len(rollups.differences()) == 1, "failed requests are not among the totals that it compares"
    assert rollups.rebuild() == hours
    assert rows() == before


def test_rebuilding_finds_what_is_wrong_and_touches_nothing_else() -> None:
    some()
    rollups.roll_up(timezone.now())
    before, untouched = rows(), set(Rollup.objects.filter(workspace_id="ws_1").values_list("pk", flat=True))
    wrong = Rollup.objects.filter(workspace_id="ws_0")
    wrong.filter(model="a/0").update(cost_nanos=1)
    wrong.filter(model="a/1").update(units={})
    wrong.filter(model="a/2").delete()
    Rollup.objects.create(workspace_id="ws_none", hour=timezone.now(), model="a/b", requests=1, cost_nanos=9)
    assert {sentence.partition(":")[0] for sentence in rollups.differences()} == {"ws_0", "ws_none"}
    rollups.rebuild()
    assert rows() == before
    assert set(Rollup.objects.filter(workspace_id="ws_1").values_list("pk", flat=True)) == untouched


def test_usage_of_a_process_that_brought_no_sums_is_mended() -> None:
    some()
    Rollup.objects.filter(workspace_id="ws_2").delete()  # as a process of the version before leaves it
    hour = rollups.hour_of(timezone.now())
    assert rollups.mend(hour - timedelta(hours=1), hour + timedelta(hours=1)) == 1
    assert rollups.differences() == []
    assert rollups.mend(hour - timedelta(hours=1), hour + timedelta(hours=1)) == 0


def test_many_fold_and_rebuild_while_others_record_and_nothing_is_lost_or_doubled() -> None:
    def fold() -> int:
        return rollups.roll_up(timezone.now())

    with meanwhile(fold, fold, rollups.rebuild):
        for _ in range(4):
            some()
            now = sums()
            assert now["requests"] == UsageEvent.objects.count()
    rollups.roll_up(timezone.now())
    assert sums() == {"requests": 160, "failed": 24, "nanos": 4 * sum(range(40))}
    assert rollups.differences() == []
    assert not Rollup.objects.exclude(part="").exists()
