"""The audit works the cost of events out again, from their units and the version of the price that they name."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from billing.metering import archive, costs
from billing.metering.models import Archive, UsageEvent
from billing.prices.models import Price
from portal.kit import ids
from tests.billing.metering.test_old_usage_is_archived import in_folder

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def price() -> Price:
    return Price.objects.create(
        product="thing", version=3, rates={"input_token": 7_500_000, "output_token": 15_000_000}, minimum_nanos=40
    )


def event(price_id: str, cost: int, *, days: int = 0, factor: int = 10_000, **units: int) -> UsageEvent:
    at = NOW - timedelta(days=days)
    return UsageEvent.objects.create(
        id=ids.of_attempt("use", ids.make("x"), at), request_id="req_x", workspace_id="ws_x", model="a/b", version_id="v",
        protocol="openai", units=units, price_id=price_id, cost_nanos=cost, factor_bp=factor, latency_ms=1, recorded_at=at,
    )  # fmt: skip


def test_an_event_that_costs_more_than_its_price_says_is_named_with_both_amounts(price: Price) -> None:
    event(price.pk, 3 * 15, output_token=3)
    event(price.pk, 53, input_token=7)  # 52.5, rounded half up
    event(price.pk, 42, input_token=7, factor=8_000)
    event(price.pk, 40, input_token=1)  # the least
    event(price.pk, 41, input_token=7)  # no more was set aside
    event(price.pk, 0)
    event("", 0, output_token=9)
    assert (costs.check().events, costs.check().wrong) == (7, [])
    wrong = event(price.pk, 54, input_token=7)
    nothing = event("price_gone", 5, input_token=7)
    assert set(costs.check().wrong) == {
        f"event {wrong.pk}: costs 54, version 3 of its price says 53",
        f"event {nothing.pk}: costs 5, its price price_gone says 0",
    }


def test_the_newest_are_always_looked_at_and_the_others_in_turn(price: Price, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "NEWEST", 3)
    monkeypatch.setattr(costs, "ELSEWHERE", 4)
    for days in range(30):
        event(price.pk, 53, input_token=7, days=days)
    old = event(price.pk, 60, input_token=7, days=12)
    looked = [costs.check() for _ in range(60)]
    assert all(one.events <= 7 for one in looked)
    assert 0 < sum(bool(one.wrong) for one in looked) < 60
    new = event(price.pk, 60, input_token=7)
    assert all(f"event {new.pk}" in costs.check().wrong[0] for _ in range(5))
    assert [f"event {one.pk}" in " ".join(costs.check(everything=True).wrong) for one in (old, new)] == [True, True]
    assert costs.check(everything=True).events == 32


def test_all_means_the_archive_too(
    price: Price, tmp_path: Path, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    in_folder(tmp_path, settings)
    event(price.pk, 53, input_token=7)
    event(price.pk, 53, input_token=7, days=800)
    archive.archive(NOW)
    assert Archive.objects.get().rows == 1
    call_command("audit_ledger")
    assert json.loads(capsys.readouterr().out)["costs_checked"] == 1
    call_command("audit_ledger", "--all")
    assert json.loads(capsys.readouterr().out)["costs_checked"] == 2
    wrong = event(price.pk, 54, input_token=7, days=700)
    archive.archive(NOW)
    call_command("audit_ledger")
    with pytest.raises(CommandError):
        call_command("audit_ledger", "--all")
    assert f"event {wrong.pk}: costs 54, version 3 of its price says 53" in capsys.readouterr().err
