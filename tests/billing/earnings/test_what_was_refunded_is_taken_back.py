"""Earnings of usage whose payment went back are taken back by the same share, and come again with it."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connections, transaction

from billing.earnings import accrual, audit, take_backs
from billing.earnings.models import Agreement
from billing.earnings.reversals import Reversal, ReversalState, TakeBack
from billing.ledger import audit as ledger_audit
from billing.ledger.balances import balance
from billing.ledger.models import Transaction
from portal.accounts.models import User, Workspace
from tests.billing.earnings.using import HOUR, NOW, used
from tests.fixtures.people import person

DOLLAR = 1_000_000_000
DAY = timedelta(days=1)
END = NOW.replace(minute=0) - HOUR * 2


def payable(workspace: Workspace) -> int:
    return balance(workspace.pk).payable_nanos


def back(
    payer: User, x: int, y: int | None, source: str = "refund:re_1", start: datetime = END - DAY, **more: str
) -> bool:
    return take_backs.take_back(
        payer.personal_workspace.pk, start, END, (x, y), source, "Invoice A-1: too slow", **more
    )


def all_is_right() -> None:
    assert not audit.differences()
    assert not ledger_audit.differences()


@pytest.fixture
def earned(workspace: Workspace, stranger: User) -> Workspace:
    """Ten dollars were used in ten hours; eight are the publisher's."""
    for hours in range(1, 11):
        used(stranger, workspace, DOLLAR, at=END - HOUR * hours + timedelta(minutes=5))
    accrual.accrue(NOW)
    assert payable(workspace) == 8 * DOLLAR
    return workspace


def test_of_a_request_that_two_credits_paid_the_bought_part_is_taken_back(workspace: Workspace, stranger: User) -> None:
    used(stranger, workspace, DOLLAR, funding="promo", rest=300_000_000, at=END + timedelta(minutes=10))
    used(stranger, workspace, DOLLAR, funding="promo", at=END + timedelta(minutes=11))
    accrual.accrue(NOW)
    assert payable(workspace) == 240_000_000
    until = END + timedelta(minutes=30)  # a time that cuts the hour: its requests are added up
    take_backs.take_back(
        stranger.personal_workspace.pk, END - DAY, until, (150_000_000, None), "dispute:dp_1", "A dispute", "credit"
    )
    assert take_backs.carry_out(NOW) == 1
    assert payable(workspace) == 120_000_000
    all_is_right()


@pytest.mark.parametrize(("x", "y", "left"), [(1_000, 1_000, 0), (250, 1_000, 6 * DOLLAR), (1, 3, 5_333_333_334)])
def test_a_refund_of_x_of_y_cents_takes_x_of_y_of_what_its_usage_earned(
    earned: Workspace, stranger: User, x: int, y: int, left: int
) -> None:
    assert back(stranger, x, y)
    assert payable(earned) == 8 * DOLLAR, "the refund's own transaction moves nothing of the publishers'"
    assert take_backs.carry_out(NOW) == 1
    assert payable(earned) == left
    assert TakeBack.objects.get().reversal.why == "A customer's payment was refunded"
    assert "A-1" not in Transaction.objects.get(kind="take_back").memo, "it is on the publisher's statement"
    all_is_right()


def test_it_happens_once_however_often_it_is_told_and_by_how_many(earned: Workspace, stranger: User) -> None:
    assert back(stranger, 1, 2)
    assert not back(stranger, 1, 2)

    def worker() -> None:
        take_backs.carry_out(NOW)
        connections.close_all()

    workers = [threading.Thread(target=worker) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert take_backs.carry_out(NOW) == 0
    assert payable(earned) == 4 * DOLLAR
    all_is_right()


def test_refunds_that_sum_to_the_invoice_never_take_more_than_was_earned(earned: Workspace, stranger: User) -> None:
    used(stranger, earned, 7, at=END - HOUR)
    accrual.accrue(NOW)
    before = payable(earned)
    for n in range(7):
        back(stranger, 1, 7, f"refund:re_{n}")
    take_backs.carry_out(NOW)
    assert 0 <= payable(earned) < 8 <= before
    all_is_right()


def test_only_usage_of_that_workspace_funding_and_time_is_taken_back(earned: Workspace, stranger: User) -> None:
    other = person("other@example.com")
    used(other, earned, DOLLAR, at=END - HOUR)
    used(stranger, earned, DOLLAR, at=END - HOUR, funding="credit")
    used(stranger, earned, DOLLAR, at=END)
    used(stranger, earned, DOLLAR, at=END - DAY - timedelta(seconds=1))
    accrual.accrue(NOW)
    back(stranger, 1, 1)
    take_backs.carry_out(NOW)
    assert payable(earned) == 4 * 800_000_000


def test_the_borders_of_a_period_split_an_hour_to_the_event(workspace: Workspace, stranger: User) -> None:
    start, end = END - HOUR + timedelta(minutes=20), END - HOUR + timedelta(minutes=40)
    for minute, nanos in ((10, 100), (20, 1_000), (39, 10_000), (40, 100_000)):
        used(stranger, workspace, nanos, at=END - HOUR + timedelta(minutes=minute))
    accrual.accrue(NOW)
    take_backs.take_back(stranger.personal_workspace.pk, start, end, (1, 1), "refund:re_1", "Refunded")
    take_backs.carry_out(NOW)
    assert TakeBack.objects.get().net_nanos == 8_800


def test_the_fee_of_each_hour_counts(workspace: Workspace, stranger: User) -> None:
    Agreement.objects.create(seller=workspace, fee_bp=0, minimum_cents=1, hold_days=0, starts_at=END - HOUR * 2)
    for hours in (3, 1):
        used(stranger, workspace, DOLLAR, at=END - HOUR * hours)
    accrual.accrue(NOW)
    back(stranger, 1, 2)
    take_backs.carry_out(NOW)
    assert TakeBack.objects.get().net_nanos == 900_000_000


def test_usage_of_hours_that_are_not_accrued_yet_is_taken_back_when_they_are(
    workspace: Workspace, stranger: User
) -> None:
    used(stranger, workspace, DOLLAR, at=END - HOUR)
    back(stranger, 1, 1)
    early = END + timedelta(minutes=2)
    accrual.accrue(early)
    assert take_backs.carry_out(early) == 0
    later = END + timedelta(minutes=6)
    accrual.accrue(later)
    assert take_backs.carry_out(later) == 1
    assert payable(workspace) == 0


def test_a_disputed_top_up_takes_back_what_of_it_was_spent_on_the_models(workspace: Workspace, stranger: User) -> None:
    used(stranger, workspace, 3 * DOLLAR, at=END - HOUR, funding="credit")
    used(stranger, None, DOLLAR, at=END - HOUR, funding="credit")  # somebody else's, or the platform's own
    accrual.accrue(NOW)
    back(stranger, 2 * DOLLAR, None, "dispute:dp_1", funding="credit")  # two of the four that were spent
    take_backs.carry_out(NOW)
    assert payable(workspace) == 1_200_000_000
    assert back(stranger, 90 * DOLLAR, None, "dispute:dp_2", start=END - HOUR * 2, funding="credit")
    take_backs.carry_out(NOW)
    assert payable(workspace) == -1_200_000_000, (
        "never more than all of it; what is missing comes out of later earnings"
    )
    all_is_right()


def test_a_won_dispute_gives_it_all_again_once(earned: Workspace, stranger: User) -> None:
    back(stranger, 1, 1, "dispute:dp_1")
    take_backs.carry_out(NOW)
    assert payable(earned) == 0
    assert take_backs.give_back("dispute:dp_1")
    assert not take_backs.give_back("dispute:dp_1")
    assert not take_backs.give_back("dispute:unknown")
    for _ in range(3):
        take_backs.carry_out(NOW)
    assert payable(earned) == 8 * DOLLAR
    assert Reversal.objects.get().state == ReversalState.RETURNED
    all_is_right()


def test_a_dispute_won_before_anything_was_taken_takes_nothing(earned: Workspace, stranger: User) -> None:
    back(stranger, 1, 1, "dispute:dp_1")
    assert take_backs.give_back("dispute:dp_1")
    take_backs.carry_out(NOW)
    assert payable(earned) == 8 * DOLLAR
    assert not TakeBack.objects.exists()


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_crash_at_any_step_takes_it_once(
    earned: Workspace, stranger: User, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = person("second@example.com").personal_workspace
    used(stranger, second, DOLLAR, at=END - HOUR)
    accrual.accrue(NOW)
    back(stranger, 1, 1)
    calls = 0
    commit = transaction.Atomic.__exit__

    def dies(self: transaction.Atomic, *error: object) -> None:
        nonlocal calls
        calls += 1
        if calls == step:
            commit(self, KeyboardInterrupt, KeyboardInterrupt(), None)
            raise KeyboardInterrupt
        commit(self, *error)

    monkeypatch.setattr(transaction.Atomic, "__exit__", dies)
    with pytest.raises(KeyboardInterrupt):
        take_backs.carry_out(NOW)
    monkeypatch.undo()
    take_backs.carry_out(NOW)
    assert (payable(earned), payable(second)) == (0, 0)
    all_is_right()


def test_a_share_that_is_none_is_refused(earned: Workspace, stranger: User) -> None:
    for x, y in ((0, 10), (-1, 10), (11, 10)):
        with pytest.raises(ValueError, match="no share"):
            back(stranger, x, y)
    with pytest.raises(ValueError, match="no share"):
        back(stranger, 1, 1, start=END)
    assert not Reversal.objects.exists()
