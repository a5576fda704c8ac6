"""What others pay for a publisher's models becomes theirs, less the fee, once and to the nano-dollar."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.earnings import accrual, agreements, audit
from billing.earnings.models import Agreement, Earning
from billing.errors import AgreementInvalid
from billing.ledger import audit as ledger_audit
from billing.ledger.balances import balance
from billing.metering import rollups
from billing.metering.models import UsageEvent
from portal.accounts.models import User, Workspace
from tests.billing.earnings.using import HOUR, NOW, used

DOLLAR = 1_000_000_000


def payable(workspace: Workspace) -> int:
    return balance(workspace.pk).payable_nanos


def all_is_right() -> None:
    assert not audit.differences()
    assert not ledger_audit.differences()


@pytest.mark.parametrize("funding", ["credit", "receivable"])
def test_what_others_pay_for_earns_the_publisher_all_but_the_fee(
    workspace: Workspace, stranger: User, funding: str
) -> None:
    used(stranger, workspace, DOLLAR, funding=funding)
    assert accrual.accrue(NOW) == 1
    assert payable(workspace) == 800_000_000
    earned = Earning.objects.get()
    assert (earned.gross_nanos, earned.fee_nanos, earned.model) == (DOLLAR, 200_000_000, "olga/net")
    assert earned.matures_at == earned.hour + timedelta(hours=1, days=7)
    all_is_right()


def test_usage_that_nobody_paid_for_and_own_usage_earn_nothing(
    workspace: Workspace, owner: User, stranger: User
) -> None:
    used(stranger, workspace, DOLLAR, funding="promo")
    used(owner, workspace, DOLLAR, funding="credit")
    used(stranger, None, DOLLAR, funding="credit")
    assert accrual.accrue(NOW) == 0
    assert payable(workspace) == 0


def test_of_a_request_that_two_credits_paid_the_bought_part_earns(workspace: Workspace, stranger: User) -> None:
    used(stranger, workspace, DOLLAR, funding="promo", rest=300_000_000)
    assert accrual.accrue(NOW) == 1
    assert payable(workspace) == 240_000_000
    assert Earning.objects.get().gross_nanos == 300_000_000
    all_is_right()


def test_an_hour_that_is_not_over_waits(workspace: Workspace, stranger: User) -> None:
    at = NOW.replace(minute=2)
    used(stranger, workspace, DOLLAR, at=at - timedelta(minutes=3))
    assert accrual.accrue(at) == 0, "another host's clock may still put usage into the hour before"
    assert accrual.accrue(at + timedelta(minutes=4)) == 1


def test_it_happens_once_however_often_and_by_how_many(workspace: Workspace, stranger: User) -> None:
    for cost in (3, 5, 7):
        used(stranger, workspace, cost)
        used(stranger, workspace, cost, model="olga/other")

    def worker() -> None:
        accrual.accrue(NOW)
        connections.close_all()

    workers = [threading.Thread(target=worker) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert accrual.accrue(NOW) == 0
    assert sorted(Earning.objects.values_list("model", "gross_nanos")) == [("olga/net", 15), ("olga/other", 15)]
    assert payable(workspace) == 24
    all_is_right()


def test_late_usage_makes_the_next_part_and_changes_no_earlier_one(workspace: Workspace, stranger: User) -> None:
    used(stranger, workspace, 1_000)
    accrual.accrue(NOW)
    before = Earning.objects.values().get()
    used(stranger, workspace, 500)
    accrual.accrue(NOW + timedelta(days=1))
    assert list(Earning.objects.order_by("part").values_list("part", "gross_nanos")) == [(1, 1_000), (2, 500)]
    assert Earning.objects.values().get(part=1) == before
    assert payable(workspace) == 1_200
    all_is_right()


def test_folding_and_rebuilding_the_sums_earns_nothing_more(workspace: Workspace, stranger: User) -> None:
    for cost in (11, 13):
        used(stranger, workspace, cost)
    accrual.accrue(NOW)
    rollups.roll_up(timezone.now())
    rollups.rebuild()
    assert accrual.accrue(NOW) == 0


def test_earnings_keep_the_fee_that_held_in_their_hour(workspace: Workspace, stranger: User) -> None:
    change = NOW.replace(minute=0) - HOUR * 3
    Agreement.objects.create(seller=workspace, fee_bp=1_000, minimum_cents=100, hold_days=1, starts_at=change)
    used(stranger, workspace, DOLLAR, at=change - timedelta(minutes=10))
    used(stranger, workspace, DOLLAR, at=change + timedelta(minutes=10))
    accrual.accrue(NOW)
    fees = Earning.objects.order_by("hour").values_list("fee_bp", "net_nanos")
    assert list(fees) == [(2_000, 800_000_000), (1_000, 900_000_000)]
    all_is_right()


def test_an_agreement_never_changes_what_was_earned(workspace: Workspace) -> None:
    now = timezone.now()
    made = agreements.agree(workspace.pk, 1_500, 100, 3, now)
    with pytest.raises(TypeError, match="never changes"):
        made.save()
    for fee, least, days, since in [
        (10_001, 100, 3, now), (-1, 100, 3, now), (100, 0, 3, now), (100, 10**9, 3, now), (100, 100, 999, now),
        (100, 100, 3, now - HOUR), (100, 100, 3, made.starts_at),
    ]:  # fmt: skip
        with pytest.raises(AgreementInvalid):
            agreements.agree(workspace.pk, fee, least, days, since)
    assert Agreement.objects.count() == 1
    assert agreements.terms(workspace.pk, now + HOUR).fee_bp == 1_500
    assert agreements.terms(workspace.pk, now - HOUR).fee_bp == 2_000


@settings(max_examples=15)
@given(
    uses=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 20_000), st.sampled_from(["net", "x"])), max_size=12),
    fee=st.integers(0, 10_000),
)
def test_sums_are_exact_to_the_nano_dollar_in_any_order(
    workspace: Workspace, stranger: User, uses: list[tuple[int, int, str]], fee: int
) -> None:
    before, carried = payable(workspace), agreements.chosen(workspace.pk).carried
    Earning.objects.all().delete()
    UsageEvent.objects.all().delete()
    rollups.Rollup.objects.all().delete()
    Agreement.objects.all().delete()
    since = datetime(2000, 1, 1, tzinfo=UTC)
    Agreement.objects.create(seller=workspace, fee_bp=fee, minimum_cents=1, hold_days=0, starts_at=since)
    for hours, cost, model in uses:
        used(stranger, workspace, cost, at=NOW - HOUR * hours, model=f"olga/{model}")
        accrual.accrue(NOW)
    exact = carried + sum(cost for _, cost, _ in uses) * (10_000 - fee)
    assert (payable(workspace) - before, agreements.chosen(workspace.pk).carried) == divmod(exact, 10_000)
