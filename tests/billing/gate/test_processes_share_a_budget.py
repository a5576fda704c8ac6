"""Several processes on one budget: none of it is spent twice, and none of it is left while somebody wants it."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from billing.errors import NoBudget
from billing.gate import budgets, caps, holds, leases, tending
from billing.gate.budgets import Wish
from billing.gate.models import Budget, Lease
from billing.metering.models import UsageEvent
from portal.accounts.keys.issuing import issue
from portal.accounts.models import Key, User, Workspace
from tests.billing.gate.test_a_budget_is_never_exceeded import DOLLAR, all_is_right
from tests.fixtures.money import give
from tests.fixtures.spenders import Spenders

COST = 1_234_567  # an odd amount, so that no block is a whole number of requests
REQUESTS = 1_000


@pytest.fixture
def rich(funded: Workspace) -> Workspace:
    give(funded, 10 * DOLLAR)
    return funded


@pytest.fixture
def key(rich: Workspace, owner: User) -> Key:
    return issue(rich, "shared", owner)[0]


def spent() -> int:
    return UsageEvent.objects.count()


@pytest.mark.parametrize(
    "whose", ["key", pytest.param("member", marks=pytest.mark.slow), pytest.param("workspace", marks=pytest.mark.slow)]
)
def test_four_processes_spend_a_cap_to_its_last_request_and_no_further(
    rich: Workspace, key: Key, owner: User, spender: Spenders, whose: str
) -> None:
    whom = {"key": {"key_id": key.pk}, "member": {"member_id": owner.pk}, "workspace": {}}[whose]
    limit = (
        f"0.{REQUESTS * COST + COST - 1:09d}"
        if REQUESTS * COST < DOLLAR
        else f"1.{REQUESTS * COST + COST - 1 - DOLLAR:09d}"
    )
    budgets.make(rich, Wish("day", limit, True, (), **whom))  # type: ignore[arg-type]
    four = [spender(rich, COST, key.pk) for _ in range(4)]
    for one in four:
        one.go()
    assert sum(one.result()["won"] for one in four) == REQUESTS == spent()
    for one in four:
        one.end()
    assert Budget.objects.get().used_nanos == REQUESTS * COST
    assert not Lease.objects.filter(closed_at=None).exists()
    all_is_right()


@pytest.mark.slow
def test_what_killed_processes_had_left_is_spent_after_the_sweep_and_never_twice(
    rich: Workspace, key: Key, spender: Spenders
) -> None:
    caps.set_cap(key, REQUESTS * COST)
    for _round in range(3):
        two = [spender(rich, COST, key.pk) for _ in range(2)]
        before = spent()
        for one in two:
            one.go()
        end = time.monotonic() + 10
        while spent() - before < 100 and time.monotonic() < end:
            time.sleep(0.01)
        for one in two:
            one.kill()
    assert 300 <= spent() < REQUESTS
    assert leases.sweep(timezone.now()) == 0  # they may be alive
    lent = Lease.objects.filter(closed_at=None).count()
    assert leases.sweep(timezone.now() + timedelta(minutes=2)) == lent > 0
    last = spender(rich, COST, key.pk)
    last.go()
    last.result()
    last.end()
    assert spent() == REQUESTS
    all_is_right()


def test_what_others_have_not_spent_is_asked_back_before_a_request_that_fits_is_refused(
    funded: Workspace, spender: Spenders
) -> None:
    idle = [spender(funded, COST, threads=1, most=1, stays_s=20) for _ in range(3)]
    for one in idle:
        one.go()
        one.result()
    assert Lease.objects.filter(closed_at=None).count() == 3  # each has a block of which it spent a little
    left = DOLLAR - 3 * COST
    began = time.monotonic()
    held = holds.hold(funded.pk, "", left)
    assert time.monotonic() - began < 2
    holds.release(held)
    with pytest.raises(NoBudget):
        holds.hold(funded.pk, "", left + 1)
    tending.close_leases()
    all_is_right()


def test_what_another_holds_for_a_request_at_work_is_not_taken_and_the_refusal_is_quick(
    funded: Workspace, spender: Spenders
) -> None:
    first = holds.hold(funded.pk, "", DOLLAR - 10 * COST)  # this process is at work with nearly all
    other = spender(funded, 20 * COST, threads=8)
    other.go()
    result = other.result()
    assert result["won"] == 0
    assert result["longest_refusal_s"] < 2
    holds.settle(first, 0)
    all_is_right()


def test_who_is_refused_again_and_again_asks_once_a_second_only(funded: Workspace, spender: Spenders) -> None:
    holds.hold(funded.pk, "", DOLLAR // 2)
    patient = spender(funded, DOLLAR, threads=1)
    patient.go()
    assert patient.result()["won"] == 0
    held = holds.hold(funded.pk, "", DOLLAR // 4)
    purse = holds.purses.everyone()[0]
    purse.asked_at = time.monotonic()
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(NoBudget):
            holds.hold(funded.pk, "", DOLLAR)
    assert time.monotonic() - began < 4, "twenty that wait 0.3 s each take 6"
    holds.release(held)
