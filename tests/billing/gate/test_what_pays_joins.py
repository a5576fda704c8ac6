"""What credit and the next invoice cover together is let in; each pays its part, to the nano-dollar, in every book."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.db.models import Sum
from django.utils import timezone

from billing.errors import NoBudget
from billing.gate import holds, leases, purses, recall, tending
from billing.gate.models import Lease
from billing.ledger import audit, lots, postings
from billing.ledger.balances import balance
from billing.ledger.parts import Parts
from billing.metering import recorder, rollups
from billing.metering.models import Rollup, UsageEvent
from billing.metering.sums import hour_of
from billing.plans import subscribing
from billing.plans.models import Plan
from billing.plans.seeds import PAY_AS_YOU_GO, seed_plans
from billing.stripe import reports
from portal.accounts.models import Workspace
from tests.billing.gate.test_a_budget_is_never_exceeded import DOLLAR, all_is_right, spend, usage
from tests.fixtures.money import give
from tests.fixtures.spenders import Spenders

CENT = DOLLAR // 100
COST = 1_234_567  # an odd amount, so that promotional credit ends within a request


def has(workspace: Workspace, promo: int, credit: int) -> Workspace:
    """The workspace with so much of both, in nano-dollars, instead of its trial credit."""
    postings.adjust(workspace.pk, "promo", promo - DOLLAR, "test:promo", "for a test")
    if credit:
        postings.top_up(workspace.pk, credit, "test:credit")
    return workspace


@pytest.fixture
def both(funded: Workspace) -> Workspace:
    """Five cents of each."""
    return has(funded, 5 * CENT, 5 * CENT)


def left(workspace: Workspace) -> tuple[int, int]:
    """Promotional and bought credit, once nothing is lent."""
    tending.close_leases()
    found = balance(workspace.pk)
    assert found.held_nanos == 0
    assert not audit.differences_of_lots(leases.open_grants())
    all_is_right()
    return found.promo_nanos, found.credit_nanos


def by_funding() -> dict[str, tuple[int, int]]:
    """Funding → requests and nano-dollars, as the hourly sums say, folded or not."""
    rows = Rollup.objects.order_by().values_list("funding").annotate(n=Sum("requests"), nanos=Sum("cost_nanos"))
    return {funding: (n, nanos) for funding, n, nanos in rows}


def test_a_request_that_only_both_cover_is_let_in_and_paid_from_promotional_credit_first(both: Workspace) -> None:
    spend(both, 8 * CENT, 7 * CENT)
    event = UsageEvent.objects.get()
    assert (event.cost_nanos, event.paid) == (7 * CENT, {"promo": 5 * CENT, "credit": 2 * CENT})
    assert by_funding() == {"promo": (1, 5 * CENT), "credit": (0, 2 * CENT)}
    assert left(both) == (0, 3 * CENT)
    assert {lot.kind: lot.left_nanos for lot in lots.live(both.pk)} == {"credit": 3 * CENT}
    rollups.roll_up(timezone.now())
    rollups.rebuild()
    assert by_funding() == {"promo": (1, 5 * CENT), "credit": (0, 2 * CENT)}


def test_a_request_that_cost_less_than_the_promotional_credit_took_no_other(both: Workspace) -> None:
    spend(both, 8 * CENT, 4 * CENT)
    assert by_funding() == {"promo": (1, 4 * CENT)}
    assert left(both) == (CENT, 5 * CENT)


def test_a_refusal_says_what_fits_together_and_that_fits(both: Workspace) -> None:
    with pytest.raises(NoBudget) as refused:
        holds.hold(both.pk, "", 10 * CENT + 1)
    assert refused.value.details == {"available": "0.10", "needed": "0.100000001", "limited_by": "balance"}
    spend(both, 10 * CENT, 10 * CENT)
    assert left(both) == (0, 0)


def test_what_this_process_was_lent_of_one_joins_what_is_left_of_the_other(both: Workspace) -> None:
    first = holds.hold(both.pk, "", CENT)
    assert Lease.objects.get().granted_nanos > CENT
    rest = holds.hold(both.pk, "", 9 * CENT)
    assert (first.parts, rest.parts) == (Parts(CENT), Parts(4 * CENT, 5 * CENT))
    with pytest.raises(NoBudget):
        holds.hold(both.pk, "", 1)
    holds.release(first)
    holds.release(rest)
    assert Lease.objects.count() == 1
    assert left(both) == (5 * CENT, 5 * CENT)


def test_promotional_credit_that_comes_while_bought_credit_is_lent_joins_it(funded: Workspace) -> None:
    has(funded, 0, 5 * CENT)
    bought = holds.hold(funded.pk, "", 4 * CENT)
    assert bought.funding == "credit"
    give(funded, 3 * CENT)
    joined = holds.hold(funded.pk, "", 4 * CENT)
    assert (joined.funding, joined.parts) == ("promo", Parts(3 * CENT, CENT))
    for held, cost in ((bought, 4 * CENT), (joined, 4 * CENT)):
        recorder.record(usage(funded, held, cost))
        holds.settle(held, cost)
    assert left(funded) == (0, 0)


def test_what_a_request_did_not_need_of_promotional_credit_pays_the_next(both: Workspace) -> None:
    first = holds.hold(both.pk, "", 6 * CENT)
    second = holds.hold(both.pk, "", 4 * CENT)
    assert (first.parts.promo, second.funding) == (5 * CENT, "credit")
    recorder.record(usage(both, first, 2 * CENT))
    holds.settle(first, 2 * CENT)
    spend(both, 4 * CENT, 4 * CENT)
    recorder.record(usage(both, second, 4 * CENT))
    holds.settle(second, 4 * CENT)
    assert by_funding() == {"promo": (2, 5 * CENT), "credit": (1, 5 * CENT)}
    assert left(both) == (0, 0)


def metered(workspace: Workspace) -> None:
    """It may owe now, up to its plan's limit."""
    seed_plans()
    now = timezone.now()
    subscribing.observe(
        workspace_id=workspace.pk, plan_code=PAY_AS_YOU_GO, stripe_id="sub_x", status="active", period_start=now,
        period_end=now + timedelta(days=30), cancel_at_period_end=False, ended_at=None,
    )  # fmt: skip


def test_what_credit_does_not_cover_goes_on_the_next_invoice(both: Workspace) -> None:
    metered(both)
    spend(both, 12 * CENT, 11 * CENT)
    assert UsageEvent.objects.get().paid == {"promo": 5 * CENT, "credit": 5 * CENT, "receivable": CENT}
    assert by_funding() == {"promo": (1, 5 * CENT), "credit": (0, 5 * CENT), "receivable": (0, CENT)}
    assert left(both) == (0, 0)
    assert balance(both.pk).owed_nanos == CENT
    spend(both, 2 * CENT, 2 * CENT)
    assert UsageEvent.objects.paid_from("receivable").aggregate(n=Sum("paid_nanos"))["n"] == 3 * CENT
    assert UsageEvent.objects.paid_from("credit").aggregate(n=Sum("paid_nanos"))["n"] == 5 * CENT
    assert reports.make_for(both.pk, [hour_of(timezone.now())], timezone.now()) == 1
    assert reports.differences() == []
    assert left(both) == (0, 0)


def test_the_rest_of_credit_and_the_rest_of_the_limit_are_enough_together(both: Workspace) -> None:
    metered(both)
    Plan.objects.filter(code=PAY_AS_YOU_GO).update(spending_limit_nanos=3 * CENT)
    with pytest.raises(NoBudget) as refused:
        holds.hold(both.pk, "", 13 * CENT + 1)
    assert refused.value.details["available"] == "0.13"
    first = holds.hold(both.pk, "", 6 * CENT)
    rest = holds.hold(both.pk, "", 7 * CENT)
    assert (first.parts, rest.parts) == (Parts(5 * CENT, CENT), Parts(0, 4 * CENT, 3 * CENT))
    with pytest.raises(NoBudget):
        holds.hold(both.pk, "", 1)
    recorder.record(usage(both, rest, 5 * CENT))
    holds.settle(rest, 5 * CENT)
    again = holds.hold(both.pk, "", 2 * CENT)
    assert again.parts == Parts(0, 0, 2 * CENT), "what one did not need pays the next"
    for held in (first, again):
        holds.release(held)
    assert left(both) == (5 * CENT, CENT)
    assert balance(both.pk).owed_nanos == CENT


def test_credit_that_is_bought_while_usage_is_metered_pays_first(funded: Workspace) -> None:
    has(funded, 0, 0)
    metered(funded)
    spend(funded, CENT, CENT)
    assert by_funding() == {"receivable": (1, CENT)}
    postings.top_up(funded.pk, 5 * CENT, "test:more")
    tending.close_leases()
    spend(funded, CENT, CENT)
    assert by_funding() == {"receivable": (1, CENT), "credit": (1, CENT)}
    assert left(funded) == (0, 4 * CENT)


def test_what_is_asked_back_goes_to_where_it_came_from(both: Workspace) -> None:
    joined = holds.hold(both.pk, "", 9 * CENT)
    holds.release(joined)
    held = holds.hold(both.pk, "", 2 * CENT)
    recall.ask([held.lease_id])
    tending.hand_back({held.lease_id})
    found = balance(both.pk)
    assert (found.promo_nanos, found.credit_nanos, found.held_nanos) == (3 * CENT, 5 * CENT, 2 * CENT)
    assert Lease.objects.get().granted == Parts(2 * CENT)
    holds.release(held)
    tending.hand_back({held.lease_id})
    assert left(both) == (5 * CENT, 5 * CENT)


def test_a_process_that_dies_leaves_what_its_events_say(both: Workspace) -> None:
    held = holds.hold(both.pk, "", 10 * CENT)
    recorder.record(usage(both, held, 6 * CENT))
    purses.forget()
    assert leases.idle(both.pk) == {"promo": 0, "credit": 4 * CENT}
    leases.sweep(timezone.now() + timedelta(minutes=5))
    assert left(both) == (0, 4 * CENT)


def test_a_stream_whose_process_died_is_billed_from_both(both: Workspace) -> None:
    held = holds.hold(both.pk, "", 10 * CENT)
    recorder.checkpoint(usage(both, held, 6 * CENT))
    recorder.checkpoint(usage(both, held, 7 * CENT))
    purses.forget()
    leases.sweep(timezone.now() + timedelta(minutes=5))
    assert UsageEvent.objects.get().paid == {"promo": 5 * CENT, "credit": 2 * CENT}
    assert left(both) == (0, 3 * CENT)


def test_the_audit_finds_usage_that_is_summed_under_the_wrong_funding(both: Workspace) -> None:
    spend(both, 8 * CENT, 7 * CENT)
    tending.close_leases()
    Rollup.objects.filter(funding="credit").update(cost_nanos=CENT)
    Rollup.objects.filter(funding="promo").update(cost_nanos=6 * CENT)
    assert leases.differences() == [
        f"credit of {both.pk}: {2 * CENT} spent by the ledger, {CENT} by usage",
        f"promo of {both.pk}: {5 * CENT} spent by the ledger, {6 * CENT} by usage",
    ]


def test_processes_spend_both_to_the_last_request_that_fits(funded: Workspace, spender: Spenders) -> None:
    has(funded, 60 * COST + COST // 2, 60 * COST - COST // 3)
    three = [spender(funded, COST) for _ in range(3)]
    for one in three:
        one.go()
    assert sum(one.result()["won"] for one in three) == 120 == UsageEvent.objects.count()
    for one in three:
        one.end()
    paid = UsageEvent.objects.paid()
    assert sum(paid.values()) == 120 * COST
    assert paid["promo"] <= 60 * COST + COST // 2
    assert left(funded) == (60 * COST + COST // 2 - paid["promo"], 60 * COST - COST // 3 - paid["credit"])


@pytest.mark.slow
def test_processes_that_are_killed_lose_and_double_nothing_of_either(funded: Workspace, spender: Spenders) -> None:
    fits = 400
    has(funded, 200 * COST + COST // 2, 200 * COST - COST // 3)
    for _round in range(3):
        two = [spender(funded, COST) for _ in range(2)]
        before = UsageEvent.objects.count()
        for one in two:
            one.go()
        end = time.monotonic() + 20
        while UsageEvent.objects.count() - before < 80 and time.monotonic() < end:
            time.sleep(0.01)
        for one in two:
            one.kill()
        leases.sweep(timezone.now() + timedelta(minutes=2))
        all_is_right()
        assert not audit.differences_of_lots(leases.open_grants())
    last = spender(funded, COST)
    last.go()
    last.result()
    last.end()
    assert UsageEvent.objects.count() == fits
    assert sum(left(funded)) == COST // 2 - COST // 3
