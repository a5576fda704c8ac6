"""A statement of any period: its lines, its rounding, and the movements between two balances."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from billing.ledger import postings
from billing.metering import rollups
from billing.metering.models import UsageEvent
from billing.money import NANOS, NANOS_IN_CENT, NANOS_IN_MICRO
from billing.statements import periods
from billing.statements.cycle import forecast
from billing.statements.movements import MOST_OF_A_KIND, movements
from billing.statements.statement import BY, Statement, statement
from billing.stripe.models import Invoice
from billing.stripe.returns import Refund, RefundState
from portal.accounts.keys.issuing import issue
from portal.accounts.models import Key, User, Workspace
from portal.kit import ids
from tests.fixtures.people import signed_in

HOUR = timedelta(hours=1)


def moment() -> datetime:
    """Now, and nothing else in the same millisecond: movements tell milliseconds apart."""
    time.sleep(0.003)
    now = timezone.now()
    time.sleep(0.003)
    return now


def used(workspace: Workspace, nanos: int, *, model: str = "a/b", key: str = "", funding: str = "receivable") -> str:
    """The id of a usage event of now."""
    event_id = ids.make("use")
    UsageEvent.objects.create(
        id=event_id, request_id=ids.make("req"), workspace_id=workspace.pk, key_id=key, model=model, version_id="v",
        protocol="openai", units={"request": 1}, price_id="p", cost_nanos=nanos, lease_id="lease_x", funding=funding,
        latency_ms=1, recorded_at=timezone.now(),
    )  # fmt: skip
    return event_id


@pytest.mark.parametrize("by", BY)
def test_lines_by_anything_sum_to_the_same(funded: Workspace, owner: User, by: str) -> None:
    key, _ = issue(funded, "mine")
    Key.objects.filter(pk=key.pk).update(created_by=owner)
    used(funded, 3_333, model="a/b", key=key.pk)
    used(funded, 4_444, model="a/c", key=key.pk, funding="promo")
    used(funded, 5_555, model="a/c")
    rollups.roll_up(timezone.now())
    now = timezone.now()
    said = statement(funded.pk, now - 24 * HOUR, now + HOUR, by)
    assert (said.requests, said.cost_nanos, said.credit_nanos) == (3, 13_332, 4_444)
    assert said.metered_nanos == said.lines_metered_nanos == 8_888
    labels = {line.label for line in said.lines}
    assert (
        labels
        == {
            "day": {now.date().isoformat()},
            "model": {"a/b", "a/c"},
            "key": {f"mine ({key.hint})", "in the browser"},
            "member": {owner.email, "nobody: the browser, or a key of the workspace"},
        }[by]
    )


@given(st.integers(0, 999), st.integers(0, 10**13))
def test_from_usage_to_cents_nothing_is_lost(carried: int, metered: int) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    said = Statement(now, now + HOUR, [], carried, metered)
    assert said.carried_in_nanos + said.metered_nanos == said.micros * NANOS_IN_MICRO + said.carried_out_nanos
    assert said.micros * NANOS_IN_MICRO + said.rounding_nanos == said.total_cents * NANOS_IN_CENT
    assert abs(said.rounding_nanos) <= NANOS_IN_CENT // 2


def test_movements_lead_from_the_opening_to_the_closing_balance(funded: Workspace) -> None:
    before = moment()
    postings.top_up(funded.pk, 5 * NANOS, "topup:1", "by card")
    postings.lend(funded.pk, {"promo": 400}, "lease:1:1")
    postings.close_lease(funded.pk, {"promo": 400}, {"promo": 150}, "lease:1:close")
    middle = moment()
    postings.refund_top_up(funded.pk, NANOS, "refund:1", "asked for")
    postings.service_credit(funded.pk, 77, "credit:1", "slow on Monday")
    after = moment()
    first, second = movements(funded.pk, before, middle), movements(funded.pk, middle, after)
    assert first.adds_up
    assert second.adds_up
    assert first.closing == second.opening
    assert first.opening["credit"] == 0
    assert first.opening["promo"] == NANOS
    assert [(row.kind, row.count, row.nanos) for row in first.rows] == [("usage", 1, -150), ("top_up", 1, 5 * NANOS)]
    assert [(row.kind, row.memo, dict(row.changes)) for row in second.rows] == [
        ("service_credit", "slow on Monday", {"promo": 77}),
        ("refund", "asked for", {"credit": -NANOS}),
    ]
    assert not movements(funded.pk, after, after + HOUR).rows
    whole = movements(funded.pk, before - HOUR, after)
    assert whole.adds_up
    assert sum(whole.opening.values()) == 0


def test_many_movements_of_a_kind_are_told_as_their_sum(funded: Workspace) -> None:
    since = moment()
    for n in range(MOST_OF_A_KIND + 1):
        postings.service_credit(funded.pk, 10, f"credit:{n}", "again")
    postings.top_up(funded.pk, 5, "topup:1")
    told = movements(funded.pk, since, moment())
    assert told.adds_up
    assert [(row.kind, row.count, row.nanos) for row in told.rows] == [
        ("service_credit", MOST_OF_A_KIND + 1, 10 * (MOST_OF_A_KIND + 1)),
        ("top_up", 1, 5),
    ]


def test_another_workspace_is_not_in_the_statement(funded: Workspace, stranger: User) -> None:
    other = stranger.personal_workspace
    postings.top_up(other.pk, 5 * NANOS, "topup:theirs")
    used(other, 9)
    rollups.roll_up(timezone.now())
    now = timezone.now()
    assert not statement(funded.pk, now - HOUR, now + HOUR).lines
    assert not [row for row in movements(funded.pk, now - HOUR, now + HOUR).rows if row.kind == "top_up"]
    page = signed_in(stranger).get("/billing/statement").content.decode()
    assert "Top-up" in page
    assert "Trial credit" not in page


def test_money_that_went_back_to_the_card_is_in_the_statement(funded: Workspace, owner: User, stranger: User) -> None:
    now = timezone.now()
    invoice = Invoice.objects.create(
        stripe_id="in_1", workspace=funded, number="M-7", status="paid", currency="usd", total_cents=900, paid_cents=900,
        refunded_cents=250, period_start=now, period_end=now, created_at=now,
    )  # fmt: skip
    Refund.objects.create(workspace=funded, invoice=invoice, cents=250, reason="a bad day", state=RefundState.SENT)
    Refund.objects.create(workspace=funded, invoice=invoice, cents=111, reason="on its way", state=RefundState.WANTED)
    page = signed_in(owner).get("/billing/statement").content.decode()
    assert "$2.50</strong> · M-7 · a bad day" in page
    assert "on its way" not in page
    assert "a bad day" not in signed_in(owner).get("/billing/statement?from=2026-01-01&to=2026-01-31").content.decode()
    assert "a bad day" not in signed_in(stranger).get("/billing/statement").content.decode()
    assert "Refunded to the card" in signed_in(owner).get("/billing/invoices/in_1").content.decode()


def test_a_forecast_is_a_straight_line_with_its_range_and_none_before_two_days() -> None:
    left = timedelta(days=10)
    assert forecast([], 0, left) is None
    assert forecast([5], 100, left) is None
    said = forecast([10, 20, 60], 100, left)
    assert said is not None
    assert (said.days, said.low_nanos, said.nanos, said.high_nanos) == (3, 200, 400, 700)


@pytest.mark.parametrize(
    ("begin", "end", "param"),
    [
        ("2026-02-01", "2026-01-01", "to"),
        ("yesterday", "", "from"),
        ("", "2026-02-30", "to"),
        ("2026-01-01T00:00:00", "", "from"),
        ("2020-01-01", "2026-01-01", "from"),
        ("0001-01-01", "2026-01-01", "from"),
        ("9999-12-31T23:00:00-12:00", "", "from"),
    ],
)
def test_a_period_that_cannot_be_is_refused(begin: str, end: str, param: str) -> None:
    with pytest.raises(periods.PeriodInvalid) as caught:
        periods.read(begin, end, datetime(2026, 1, 15, 12, tzinfo=UTC))
    assert (caught.value.status, caught.value.param) == (422, param)


def test_days_are_whole_and_included() -> None:
    now = datetime(2026, 1, 15, 12, tzinfo=UTC)
    period = periods.read("2026-01-03", "2026-01-05", now)
    assert (period.start, period.end) == (datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC))
    this_month = periods.read("", "", now)
    assert (this_month.start.day, this_month.end.day, this_month.last_day.day) == (1, 16, 15)
    moment = periods.read("2026-01-03T04:00:00+02:00", "2026-01-03T05:30:00Z", now)
    assert (moment.start.hour, moment.end.minute) == (2, 30)
