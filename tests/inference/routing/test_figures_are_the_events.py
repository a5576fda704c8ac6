"""Latency, throughput and uptime are those of the usage events, whenever they are summed up."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from billing.metering.models import UsageEvent
from inference.models import Figures
from inference.routing import figures
from marketplace.catalog.models import Listing, Model
from portal.accounts.models import Workspace
from portal.kit import ids

NOW = datetime(2026, 3, 1, 12, 2, tzinfo=UTC)
DAY = timedelta(days=1)


def event(at: datetime, replica: str = "rep_a", status: str = "succeeded", **more: Any) -> UsageEvent:
    given = {"units": {"output_token": 10}, "latency_ms": 100, "first_ms": 10, **more}
    return UsageEvent.objects.create(
        id=ids.make("use"), request_id=ids.make("req"), workspace_id="w", model="a/b", version_id="v", replica=replica,
        protocol="openai", price_id="p", cost_nanos=1, lease_id="", funding="", status=status, recorded_at=at, **given,
    )  # fmt: skip


def rows() -> list[dict[str, Any]]:
    return list(Figures.objects.order_by("since", "replica").values())


def by_hand(values: list[int], share: float) -> int:
    ordered = sorted(values)
    return ordered[max(-(-int(len(ordered) * share * 1000) // 1000) - 1, 0)]


@pytest.mark.django_db
def test_they_equal_what_one_counts_by_hand() -> None:
    dice = random.Random(5)
    made = [
        event(
            NOW - timedelta(seconds=dice.randrange(0, 3_000)),
            replica=dice.choice(["rep_a", "rep_b"]),
            status=dice.choices(["succeeded", "canceled", "failed", "interrupted"], [80, 10, 5, 5])[0],
            latency_ms=int(dice.lognormvariate(5, 1)) + 1,
            units={"output_token": dice.randrange(0, 50)},
        )
        for _ in range(400)
    ]
    figures.sum_up(NOW)
    for replica in ("", "rep_a", "rep_b"):
        mine = [one for one in made if replica in ("", one.replica)]
        served = [one for one in mine if one.status in ("succeeded", "canceled")]
        found = figures.of("a/b", NOW - DAY, NOW, replica=replica)
        assert (found.served, found.failed) == (len(served), len(mine) - len(served))
        assert found.uptime == len(served) / len(mine)
        for share, percentile in ((0.5, found.p50), (0.95, found.p95), (0.99, found.p99)):
            assert percentile == pytest.approx(by_hand([one.latency_ms for one in served], share), rel=0.05)
        busy_s = sum(one.latency_ms for one in served) / 1000
        tokens = sum(one.units["output_token"] for one in served)
        assert found.tokens_a_second == pytest.approx(tokens / busy_s, rel=0.05)
        assert found.requests_a_minute == pytest.approx(len(mine) / (24 * 60))
    assert set(figures.by_replica("a/b", NOW - DAY, NOW)) == {"rep_a", "rep_b"}


@pytest.mark.django_db
def test_summing_up_again_changes_nothing_and_what_came_meanwhile_is_in() -> None:
    event(NOW - timedelta(minutes=6))
    event(NOW)
    figures.sum_up(NOW)
    before = rows()
    figures.sum_up(NOW)
    assert [{**row, "id": 0} for row in rows()] == [{**row, "id": 0} for row in before]
    event(NOW - timedelta(minutes=6))  # it was committed late
    figures.sum_up(NOW + timedelta(seconds=30))
    assert figures.of("a/b", NOW - DAY, NOW).served == 3


@pytest.mark.django_db
def test_hours_without_a_worker_are_made_good(monkeypatch: pytest.MonkeyPatch) -> None:
    event(NOW)
    figures.sum_up(NOW)
    for minutes in (30, 90, 150):
        event(NOW + timedelta(minutes=minutes))
    later = NOW + timedelta(hours=3)
    # A web process noted a failure meanwhile: that is no summing up.
    monkeypatch.setattr(figures.timezone, "now", lambda: later)
    figures.missed(SimpleNamespace(version_id="v", slug="a/b"), "rep_a")  # type: ignore[arg-type] # all that it reads
    figures.sum_up(later)
    found = figures.of("a/b", NOW - DAY, later)
    assert (found.served, found.uptime) == (4, 1.0), "another replica answered: the model did not fail"
    place = figures.of("a/b", NOW - DAY, later, replica="rep_a")
    assert (place.served, place.failed, place.uptime) == (4, 1, 0.8)
    figures.sum_up(later)
    assert figures.of("a/b", NOW - DAY, later, replica="rep_a").failed == 1


@pytest.mark.django_db
def test_what_is_wrong_with_a_request_does_not_make_a_model_look_down() -> None:
    event(NOW)
    event(NOW, replica="", status="failed")
    figures.sum_up(NOW)
    assert figures.of("a/b", NOW - DAY, NOW).uptime == 1.0


@pytest.mark.django_db(transaction=True)
def test_the_catalog_learns_of_the_week() -> None:
    acme = Workspace.objects.create(slug="a", name="A")
    model = Model.objects.create(publisher=acme, name="b", task="tensor", title="B")
    for ms in (90, 100, 5_000):
        event(NOW - DAY, latency_ms=ms)
    event(NOW - DAY, status="failed")
    figures.sum_up(NOW)
    assert figures.tell_catalog(NOW) == 1
    assert figures.tell_catalog(NOW) == 0
    found = Listing.objects.get(model=model)
    assert found.requests == 4
    assert found.p50_ms == pytest.approx(100, rel=0.05)
    assert figures.tell_catalog(NOW + 8 * DAY) == 1
    assert Listing.objects.get(model=model).p50_ms is None
