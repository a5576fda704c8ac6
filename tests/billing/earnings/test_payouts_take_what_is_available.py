"""What can be paid out, when, and what becomes of the balance at each step; Stripe is not asked here."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connections
from django.utils import timezone

from billing.earnings import accrual, agreements, audit, payouts, schedule
from billing.earnings.models import Destination, DestinationState, Payout, PayoutState, Publisher, Schedule
from billing.errors import AgreementInvalid, PayoutRefused
from billing.ledger import audit as ledger_audit
from billing.ledger import postings
from billing.ledger.balances import balance
from portal.accounts.models import User, Workspace
from tests.billing.earnings.using import HOUR, NOW, used

DOLLAR = 1_000_000_000
DAY = timedelta(days=1)
S = PayoutState


def payable(workspace: Workspace) -> int:
    return balance(workspace.pk).payable_nanos


@pytest.fixture
def earned(workspace: Workspace, stranger: User) -> Workspace:
    """$80 and a bit that can be paid out, $40 that must wait, and an account to send it to."""
    used(stranger, workspace, 100 * DOLLAR + 7, at=NOW - DAY * 10)
    used(stranger, workspace, 50 * DOLLAR, at=NOW - DAY)
    accrual.accrue(NOW)
    Destination.objects.create(stripe_id="acct_1", seller=workspace, country="DE", state=DestinationState.ACTIVE)
    return workspace


@pytest.fixture(autouse=True)
def _all_is_right_in_the_end(transactional_db: None) -> Iterator[None]:
    yield
    assert not audit.differences()
    assert not ledger_audit.differences()


def test_earnings_can_be_paid_out_when_they_have_waited(earned: Workspace) -> None:
    has = payouts.funds(earned.pk, NOW)
    assert (has.owed_nanos, has.held_nanos, has.available_cents) == (120 * DOLLAR + 5, 40 * DOLLAR, 8_000)
    assert has.next_at == (NOW - DAY).replace(minute=0) + HOUR + 7 * DAY
    assert payouts.funds(earned.pk, has.next_at).available_cents == 12_000


def test_a_payout_leaves_the_balance_when_it_is_about_to_be_sent(earned: Workspace) -> None:
    payout = payouts.request(earned.pk, NOW)
    assert payout.cents == 8_000
    assert payable(earned) == 120 * DOLLAR + 5
    assert payouts.funds(earned.pk, NOW).available_nanos == 5
    assert payouts.begin(payout, NOW)
    assert payable(earned) == 40 * DOLLAR + 5
    assert payouts.paid(payout, "tr_1")
    assert (payout.state, payouts.funds(earned.pk, NOW).available_nanos) == (S.PAID, 5)


def test_one_payout_at_a_time_also_when_many_ask_at_once(earned: Workspace) -> None:
    answers: list[str] = []

    def asks() -> None:
        try:
            payouts.request(earned.pk, NOW)
            answers.append("made")
        except PayoutRefused as refused:
            answers.append(refused.code)
        connections.close_all()

    threads = [threading.Thread(target=asks) for _ in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(answers) == ["made", *["payout_refused"] * 4]
    assert Payout.objects.count() == 1


def test_only_one_of_two_workers_takes_it_out_of_the_balance(earned: Workspace) -> None:
    payout = payouts.request(earned.pk, NOW)
    other = Payout.objects.get()
    assert payouts.begin(payout, NOW)
    assert not payouts.begin(other, NOW)
    stale = Payout.objects.get()
    assert payouts.claim(payout, NOW)
    assert not payouts.claim(stale, NOW)


@pytest.mark.parametrize("missing", ["account", "active account", "money"])
def test_what_is_in_the_way_is_said_and_nothing_changes(earned: Workspace, missing: str) -> None:
    if missing == "account":
        Destination.objects.all().delete()
    elif missing == "active account":
        Destination.objects.update(state=DestinationState.PENDING)
    else:
        postings.take_back(earned.pk, 60 * DOLLAR, "test")
    before = payable(earned)
    with pytest.raises(PayoutRefused) as refused:
        payouts.request(earned.pk, NOW)
    assert (
        "less than the smallest payout of $25.00" if missing == "money" else "Set up where"
    ) in refused.value.message
    assert payable(earned) == before
    assert not Payout.objects.exists()
    if missing == "money":
        postings.earn(earned.pk, 60 * DOLLAR, "test again")


def test_a_payout_that_take_backs_have_eaten_fails_and_takes_nothing_that_must_wait(earned: Workspace) -> None:
    payout = payouts.request(earned.pk, NOW)
    postings.adjust(earned.pk, "payable", -DOLLAR, "test", "eaten")
    assert not payouts.begin(payout, NOW)
    assert (payout.state, payable(earned)) == (S.FAILED, 119 * DOLLAR + 5)
    assert "not cover" in payout.error


@pytest.mark.parametrize("after", [S.FAILED, S.WAITING])
def test_what_stripe_refused_is_the_publishers_again(earned: Workspace, after: PayoutState) -> None:
    payout = payouts.request(earned.pk, NOW)
    payouts.begin(payout, NOW)
    assert payouts.refused(payout, after, "No funds.")
    assert not payouts.refused(payout, after, "No funds.")
    assert payable(earned) == 120 * DOLLAR + 5
    if after == S.WAITING:
        assert payouts.begin(payout, NOW)
        assert payouts.refused(payout, after, "No funds.")
        assert payouts.begin(payout, NOW)
        assert payouts.paid(payout, "tr_1")
        assert payable(earned) == 40 * DOLLAR + 5


def test_what_was_sent_back_is_the_publishers_again_once(earned: Workspace) -> None:
    payout = payouts.request(earned.pk, NOW)
    payouts.begin(payout, NOW)
    assert not payouts.sent_back(payout, 100), "nothing was sent yet"
    payouts.paid(payout, "tr_1")
    assert payouts.sent_back(payout, 1_000)
    assert not payouts.sent_back(payout, 1_000)
    assert (payout.state, payable(earned)) == (S.PAID, 50 * DOLLAR + 5)
    assert payouts.sent_back(payout, 99_999)
    assert (payout.state, payable(earned)) == (S.RETURNED, 120 * DOLLAR + 5)


def test_a_payout_is_canceled_only_before_it_is_being_sent(earned: Workspace) -> None:
    payout = payouts.request(earned.pk, NOW)
    assert payouts.cancel(payout.pk).state == S.CANCELED
    payout = payouts.request(earned.pk, NOW)
    payouts.begin(payout, NOW)
    with pytest.raises(PayoutRefused):
        payouts.cancel(payout.pk)
    payouts.paid(payout, "tr_1")
    for act in (payouts.cancel, lambda pk: payouts.retry(pk, NOW)):
        with pytest.raises(PayoutRefused):
            act(payout.pk)
    assert payable(earned) == 40 * DOLLAR + 5


@pytest.mark.parametrize(
    ("kind", "today", "last", "following"),
    [
        ("weekly", date(2026, 11, 23), date(2026, 11, 23), date(2026, 11, 30)),
        ("weekly", date(2026, 11, 29), date(2026, 11, 23), date(2026, 11, 30)),
        ("monthly", date(2026, 12, 31), date(2026, 12, 1), date(2027, 1, 1)),
        ("monthly", date(2028, 2, 1), date(2028, 2, 1), date(2028, 3, 1)),
        ("manual", date(2026, 12, 31), None, None),
    ],
)
def test_paydays(kind: str, today: date, last: date | None, following: date | None) -> None:
    assert (schedule.payday(kind, today), schedule.next_payday(kind, today)) == (last, following)


def test_a_payday_makes_one_payout_also_when_the_job_is_late_or_runs_twice(earned: Workspace) -> None:
    Publisher.objects.update(schedule=Schedule.WEEKLY, decided_on=date(2026, 11, 16))
    assert schedule.make_due(datetime(2026, 11, 22, 23, tzinfo=UTC)) == 0
    late = datetime(2030, 1, 9, 3, tzinfo=UTC)
    made = []

    def worker() -> None:
        made.append(schedule.make_due(late))
        connections.close_all()

    workers = [threading.Thread(target=worker) for _ in range(3)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert sum(made) == 1
    payout = Payout.objects.get()
    assert (payout.due_on, payout.cents) == (date(2030, 1, 7), 12_000)
    payouts.cancel(payout.pk)
    assert schedule.make_due(late + DAY) == 0


def test_a_payday_with_too_little_is_over_and_the_next_takes_it_all(earned: Workspace) -> None:
    agreements.choose(earned.pk, "weekly", 10_000)
    Publisher.objects.update(decided_on=date(2026, 1, 1))
    monday = NOW - timedelta(days=NOW.weekday())
    assert schedule.make_due(monday) == 0
    assert schedule.make_due(monday + DAY) == 0
    assert schedule.make_due(monday + 14 * DAY) == 1
    assert Payout.objects.get().cents == 12_000


def test_who_is_paid_on_demand_has_no_payday(earned: Workspace) -> None:
    agreements.choose(earned.pk, "manual", 2_500)
    assert schedule.make_due(NOW + 90 * DAY) == 0


def test_a_new_schedule_begins_with_its_next_payday(earned: Workspace) -> None:
    Publisher.objects.update(decided_on=date(2026, 1, 1))
    agreements.choose(earned.pk, "weekly", 2_500)
    assert schedule.make_due(timezone.now()) == 0


@pytest.mark.parametrize(("kind", "cents"), [("daily", 2_500), ("weekly", 2_499), ("weekly", -1), ("weekly", 10**9)])
def test_a_choice_that_cannot_be_is_refused(earned: Workspace, kind: str, cents: int) -> None:
    before = Publisher.objects.values().get()
    with pytest.raises(AgreementInvalid):
        agreements.choose(earned.pk, kind, cents)
    assert Publisher.objects.values().get() == before
