"""A published objective, a day's traffic against it, and the credit that comes by itself where it was not kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client

from billing.ledger import audit, lots
from billing.ledger.balances import balance
from billing.metering.models import Status, UsageEvent
from billing.objectives import judging
from billing.objectives.forms import ObjectiveForm
from billing.objectives.models import Day, Objective
from marketplace.catalog.models import Model
from portal.accounts.models import User, Workspace
from portal.kit import ids

MODEL = "acme/reader"
TODAY = datetime(2026, 3, 10, 1, 30, tzinfo=UTC)
YESTERDAY = date(2026, 3, 9)


@pytest.fixture
def promise(transactional_db: None) -> Objective:
    """99 % answered, 95 of 100 within 300 ms, 1 % empty at most; a tenth of the day is credited."""
    return Objective.objects.create(
        model=MODEL, starts_on=YESTERDAY, uptime_bp=9_900, p95_ms=300, empty_bp=100, credit_bp=1_000
    )


def traffic(
    workspace: Workspace,
    n: int,
    *,
    at: datetime = datetime(2026, 3, 9, 12, tzinfo=UTC),
    cost: int = 15,
    **fields: object,
) -> None:
    """`n` requests to the model on that day."""
    event = {
        "status": Status.SUCCEEDED, "model": MODEL, "version_id": "v", "replica": "r", "protocol": "openai",
        "units": {"request": 1}, "price_id": "p", "latency_ms": 100, **fields,
    }  # fmt: skip
    UsageEvent.objects.bulk_create(
        UsageEvent(
            id=ids.make("use"), request_id="req", workspace_id=workspace.pk, cost_nanos=cost, recorded_at=at, **event
        )
        for _ in range(n)
    )


def test_a_day_that_kept_its_promise_credits_nobody(promise: Objective, workspace: Workspace) -> None:
    traffic(workspace, 95)
    traffic(workspace, 5, latency_ms=5_000)  # 95 of 100 were quick
    traffic(workspace, 1, status=Status.FAILED, units={}, cost=0)
    assert judging.judge_due(TODAY) == 1
    day = Day.objects.get()
    assert (day.requests, day.failed, day.empty, day.p95_ms, day.broken) == (101, 1, 0, 100, "")
    assert balance(workspace.pk).promo_nanos == 0


BREAKS = {
    "uptime": {"status": Status.FAILED, "units": {}, "cost": 0},
    "p95": {"latency_ms": 301},
    "empty": {"units": {}, "cost": 0},
}


@pytest.mark.parametrize("name", BREAKS)
def test_each_promise_can_be_broken_and_is_credited_once_with_the_reason(
    name: str, promise: Objective, workspace: Workspace, stranger: User
) -> None:
    traffic(workspace, 94)
    traffic(stranger.personal_workspace, 1, cost=101)
    traffic(workspace, 6, **BREAKS[name])
    assert judging.judge_due(TODAY) == 1
    assert judging.judge_due(TODAY) == 0
    paid = sum(UsageEvent.objects.filter(workspace_id=workspace.pk).values_list("cost_nanos", flat=True))
    assert balance(workspace.pk).promo_nanos == -(-paid // 10)
    assert balance(stranger.personal_workspace.pk).promo_nanos == 11
    (lot,) = lots.live(workspace.pk)
    assert lot.memo.startswith("acme/reader on 2026-03-09: ")
    assert "promised" in lot.memo
    day = Day.objects.get()
    assert (day.broken, day.workspaces) == (name, 2)
    assert day.credited_nanos == -audit.totals()["refunds"]
    assert not audit.differences()


def test_wrong_and_cancelled_requests_are_not_the_models_fault(promise: Objective, workspace: Workspace) -> None:
    traffic(workspace, 100)
    traffic(workspace, 50, status=Status.FAILED, replica="", cost=0)
    traffic(workspace, 50, status=Status.CANCELED)
    traffic(workspace, 50, status=Status.REPLAYED, replica="", units={}, cost=0)
    judging.judge_due(TODAY)
    day = Day.objects.get()
    assert (day.requests, day.failed, day.empty, day.broken) == (100, 0, 0, "")


def test_a_day_with_few_requests_says_too_little(promise: Objective, workspace: Workspace) -> None:
    traffic(workspace, 99, status=Status.FAILED, units={}, cost=0)
    judging.judge_due(TODAY)
    assert Day.objects.get().broken == ""


def test_a_day_is_judged_when_it_is_over_and_its_stragglers_are_in(promise: Objective, workspace: Workspace) -> None:
    assert judging.judge_due(datetime(2026, 3, 9, 23, 59, tzinfo=UTC)) == 0
    assert judging.judge_due(datetime(2026, 3, 10, 0, 59, tzinfo=UTC)) == 0
    assert judging.judge_due(datetime(2026, 3, 10, 1, 0, tzinfo=UTC)) == 1


def test_days_that_were_missed_are_judged_later_each_by_what_was_promised_then(
    promise: Objective, workspace: Workspace
) -> None:
    Objective.objects.create(model=MODEL, starts_on=YESTERDAY + timedelta(days=2), p95_ms=50, credit_bp=10_000)
    for back in range(4):
        traffic(workspace, 100, at=datetime(2026, 3, 8 + back, 23, 59, 59, tzinfo=UTC))
    assert judging.judge_due(datetime(2026, 3, 12, 2, tzinfo=UTC)) == 3
    judged = {str(day.day): (day.broken, day.credited_nanos) for day in Day.objects.all()}
    assert judged == {"2026-03-09": ("", 0), "2026-03-10": ("", 0), "2026-03-11": ("p95", 1_500)}


def test_an_objective_never_changes(promise: Objective) -> None:
    promise.uptime_bp = 1
    with pytest.raises(TypeError):
        promise.save()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"uptime_bp": "", "p95_ms": "", "empty_bp": ""}, "__all__"),
        ({"credit_bp": "0"}, "credit_bp"),
        ({"credit_bp": "10001"}, "credit_bp"),
        ({"uptime_bp": "-1"}, "uptime_bp"),
        ({"p95_ms": "0"}, "p95_ms"),
        ({"starts_on": "2020-01-01"}, "starts_on"),
    ],
)
def test_a_promise_that_cannot_be_is_refused(wrong: dict[str, str], field: str, transactional_db: None) -> None:
    given = {
        "model": MODEL, "starts_on": "2999-01-01", "uptime_bp": "9990", "p95_ms": "300", "empty_bp": "10",
        "credit_bp": "1000", "least_requests": "100",
    }  # fmt: skip
    assert ObjectiveForm(given).is_valid()
    form = ObjectiveForm({**given, **wrong})
    assert not form.is_valid()
    assert field in form.errors


@pytest.fixture
def published(workspace: Workspace) -> Iterator[Model]:
    workspace.slug = "acme"
    workspace.save()
    return Model.objects.create(publisher=workspace, name="reader", title="Reader", task="tensor", visibility="public")


def test_the_models_page_says_what_is_promised_and_how_it_was_kept(published: Model, workspace: Workspace) -> None:
    today = datetime.now(UTC).date()
    promise = Objective.objects.create(
        model=MODEL, starts_on=today - timedelta(days=3), uptime_bp=9_950, credit_bp=2_500
    )
    Day.objects.create(objective=promise, day=today - timedelta(days=2), requests=200, failed=0, empty=0, p95_ms=80)
    Day.objects.create(
        objective=promise, day=today - timedelta(days=1), requests=200, failed=4, empty=0, p95_ms=80, broken="uptime",
        workspaces=1, credited_nanos=123_000,
    )  # fmt: skip
    page = Client().get("/models/acme/reader").content.decode()
    for words in (
        "99.5 % of requests are answered",
        "credits 25 %",
        "Kept on 1 of 2 days",
        "$0.000123",
        "99 % of requests",
    ):
        assert words in page, words
