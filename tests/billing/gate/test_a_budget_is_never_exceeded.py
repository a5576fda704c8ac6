"""Holds, leases and the ledger, also when processes die."""

from __future__ import annotations

import os
import random
import threading
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.errors import NoBudget
from billing.gate import caps, holds, leases, purses, recall, tending
from billing.gate.models import Lease
from billing.ledger import audit, postings
from billing.ledger.balances import balance
from billing.ledger.snapshot import snapshot
from billing.metering import recorder
from billing.metering.models import UsageEvent
from billing.metering.recorder import LeaseClosed, Usage
from portal.accounts.keys.issuing import issue
from portal.accounts.models import Workspace
from portal.kit import ids
from tests.fixtures.money import give

DOLLAR = 1_000_000_000


def usage(workspace: Workspace, hold: holds.Hold, cost: int, key_id: str = "") -> Usage:
    return Usage(
        request_id="req_x", workspace_id=workspace.pk, key_id=key_id, model="a/b", version_id="ver_x", replica="rep_x",
        protocol="predictions", units={"request": 1}, price_id="price_x", cost_nanos=cost, lease_id=hold.lease_id,
        funding=hold.funding, held=hold.parts, latency_ms=1,
    )  # fmt: skip


def spend(workspace: Workspace, most: int, cost: int, key_id: str = "") -> None:
    held = holds.hold(workspace.pk, key_id, most)
    recorder.record(usage(workspace, held, cost, key_id))
    holds.settle(held, cost)


def all_is_right() -> None:
    """At one moment: threads and processes may give back meanwhile what they were lent."""
    with snapshot():
        assert not audit.differences()
        assert not leases.differences()
        assert audit.totals()["holds"] == leases.open_nanos()


def test_what_a_request_cost_leaves_the_balance_and_the_rest_comes_back(funded: Workspace) -> None:
    spend(funded, 300_000_000, 200_000_000)
    tending.close_leases()
    assert balance(funded.pk).promo_nanos == 800_000_000
    assert balance(funded.pk).held_nanos == 0
    all_is_right()


def test_a_request_that_may_cost_more_than_there_is_is_told_what_would_fit(funded: Workspace) -> None:
    with pytest.raises(NoBudget) as caught:
        holds.hold(funded.pk, "", DOLLAR + 1)
    assert caught.value.status == 402
    assert caught.value.details["available"] == "1.00"
    holds.release(holds.hold(funded.pk, "", DOLLAR))


def test_the_last_nano_can_be_spent_in_small_requests(funded: Workspace) -> None:
    for _ in range(10):
        spend(funded, DOLLAR // 10, DOLLAR // 10)
    with pytest.raises(NoBudget):
        holds.hold(funded.pk, "", 1)


def test_a_top_up_counts_on_the_next_request(funded: Workspace) -> None:
    with pytest.raises(NoBudget):
        holds.hold(funded.pk, "", 2 * DOLLAR)
    give(funded, DOLLAR)
    holds.release(holds.hold(funded.pk, "", 2 * DOLLAR))


def test_credit_that_is_over_is_not_lent(funded: Workspace) -> None:
    ends = timezone.now() + timedelta(seconds=0.5)
    postings.top_up(funded.pk, 3 * DOLLAR, "top-up", expires_at=ends)
    holds.release(holds.hold(funded.pk, "", 3 * DOLLAR))
    tending.close_leases()
    time.sleep(max((ends - timezone.now()).total_seconds(), 0))
    with pytest.raises(NoBudget) as refused:
        holds.hold(funded.pk, "", DOLLAR + 1)
    assert refused.value.details["available"] == "1.00"
    leases.sweep(timezone.now())
    assert balance(funded.pk).promo_nanos + balance(funded.pk).held_nanos == DOLLAR
    all_is_right()


def test_threads_that_race_for_a_budget_of_a_hundred_requests_get_exactly_a_hundred(funded: Workspace) -> None:
    won, lost = [], []

    def client() -> None:
        for _ in range(20):
            try:
                spend(funded, DOLLAR // 100, DOLLAR // 100)
                won.append(1)
            except NoBudget:
                lost.append(1)
        from django.db import connections

        connections.close_all()

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (100, 60)
    tending.close_leases()
    assert balance(funded.pk).promo_nanos == 0
    all_is_right()


def test_a_key_never_spends_more_than_its_cap(funded: Workspace) -> None:
    key, _ = issue(funded, "capped")
    caps.set_cap(key, 10_000_000)
    for _ in range(10):
        spend(funded, 1_000_000, 1_000_000, key.pk)
    with pytest.raises(NoBudget, match="cap"):
        holds.hold(funded.pk, key.pk, 1)
    tending.close_leases()
    assert key.caps.get().used_nanos == 10_000_000
    spend(funded, 1_000_000, 1_000_000)  # the workspace has more


def test_a_dead_process_lease_is_swept_and_what_it_did_not_spend_comes_back(funded: Workspace) -> None:
    spend(funded, 10_000_000, 4_000_000)
    purses.forget()
    assert leases.sweep(timezone.now()) == 0
    assert leases.sweep(timezone.now() + timedelta(minutes=5)) == 1
    assert leases.sweep(timezone.now() + timedelta(minutes=5)) == 0
    assert balance(funded.pk).promo_nanos == DOLLAR - 4_000_000
    all_is_right()


def test_a_process_that_was_taken_for_dead_cannot_record_on_its_lease(funded: Workspace) -> None:
    held = holds.hold(funded.pk, "", 10_000_000)
    leases.sweep(timezone.now() + timedelta(minutes=5))
    with pytest.raises(LeaseClosed):
        recorder.record(usage(funded, held, 10_000_000))
    assert not UsageEvent.objects.exists()
    all_is_right()


def test_what_is_asked_back_is_what_no_request_holds_and_the_rest_follows_as_requests_end(funded: Workspace) -> None:
    held = holds.hold(funded.pk, "", 10_000_000)
    lease = Lease.objects.get()
    assert lease.granted_nanos > 10_000_000
    recall.ask([lease.pk])
    wanted = recall.wanted(tending.process_name()) or {lease.pk}  # the tender may have been quicker
    tending.hand_back(wanted)
    assert Lease.objects.get().granted_nanos == 10_000_000
    assert balance(funded.pk).promo_nanos == DOLLAR - 10_000_000
    other = holds.hold(funded.pk, "", 1)  # not of that lease
    assert other.lease_id != lease.pk
    recorder.record(usage(funded, held, 4_000_000))
    holds.settle(held, 4_000_000)
    tending.hand_back(wanted)
    closed = Lease.objects.get(pk=lease.pk)
    assert (closed.spent_nanos, closed.closed_at is None) == (4_000_000, False)
    holds.release(other)
    tending.close_leases()
    assert balance(funded.pk).promo_nanos == DOLLAR - 4_000_000
    all_is_right()


def test_a_process_that_dies_after_it_was_asked_is_swept_to_the_nano(funded: Workspace) -> None:
    held = holds.hold(funded.pk, "", 10_000_000)
    recorder.record(usage(funded, held, 3_000_000))
    recall.ask([held.lease_id])
    tending.hand_back({held.lease_id})
    purses.forget()
    assert leases.sweep(timezone.now() + timedelta(minutes=5)) == 1
    assert balance(funded.pk).promo_nanos == DOLLAR - 3_000_000
    all_is_right()


def test_a_forked_child_has_nothing_of_what_its_parent_was_lent(funded: Workspace) -> None:
    held = holds.hold(funded.pk, "", 10_000_000)
    child = os.fork()
    if child == 0:
        os._exit(len(purses.everyone()))
    assert os.waitpid(child, 0)[1] == 0
    assert len(purses.everyone()) == 1
    holds.release(held)


def test_a_lease_that_is_held_outlives_its_time(funded: Workspace) -> None:
    held = holds.hold(funded.pk, "", 10_000_000)
    before = Lease.objects.get().expires_at
    tending.tend(time.monotonic() + 45)
    lease = Lease.objects.get()
    assert lease.closed_at is None
    assert lease.expires_at > before
    recorder.record(usage(funded, held, 10_000_000))
    holds.settle(held, 10_000_000)
    tending.tend(time.monotonic() + 60)
    assert Lease.objects.get().spent_nanos == 10_000_000


@settings(max_examples=12)
@given(
    st.lists(
        st.sampled_from(["spend", "spend", "free", "crash", "sweep", "tend", "ask", "give", "buy", "all"]), max_size=25
    ),
    st.integers(),
)
def test_whatever_happens_the_book_is_right_and_no_balance_is_negative(
    funded: Workspace, steps: list[str], seed: int
) -> None:
    dice = random.Random(seed)
    before, spent, given = _left(funded), 0, 0
    for number, step in enumerate(steps):
        now = timezone.now() + timedelta(minutes=10)
        try:
            if step == "spend":
                most = dice.randrange(1, DOLLAR // 2)
                cost = dice.randrange(most + 1)
                spend(funded, most, cost)
                spent += cost
            elif step == "free":
                holds.release(holds.hold(funded.pk, "", dice.randrange(DOLLAR // 2)))
            elif step == "crash":
                purses.forget()
            elif step == "sweep":
                purses.forget()
                leases.sweep(now)
            elif step == "ask":
                recall.ask(list(Lease.objects.filter(closed_at=None).values_list("pk", flat=True)))
                tending.hand_back(recall.wanted(tending.process_name()))
            elif step == "tend":
                tending.tend(time.monotonic() + 120)
            elif step == "all":
                purses.forget()
                leases.sweep(now)
                fits = _left(funded)
                with pytest.raises(NoBudget):
                    holds.hold(funded.pk, "", fits + 1)
                cost = dice.randrange(fits + 1)
                spend(funded, fits, cost)
                spent += cost
            elif step == "buy":
                postings.top_up(funded.pk, DOLLAR // 10 + number, ids.make("pi"))
                given += DOLLAR // 10 + number
            else:
                from billing.plans.allowances import grant

                grant(funded, number + 1, ids.make("gift"), "")
                given += number + 1
        except NoBudget:
            pass
        all_is_right()
        assert not audit.differences_of_lots(leases.open_grants())
    purses.forget()
    leases.sweep(timezone.now() + timedelta(minutes=10))
    assert _left(funded) == before + given - spent


def _left(workspace: Workspace) -> int:
    has = balance(workspace.pk)
    return has.promo_nanos + has.credit_nanos + has.held_nanos
