"""Random top-ups, usage, refunds, disputes, changes of plan, invoices, payouts and crashes, audited after each step."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from billing.errors import NoBudget, NotEnoughCredit
from billing.gate import holds, leases, purses, tending
from billing.ledger import audit, lots, postings
from billing.ledger.balances import balance
from billing.ledger.models import Entry, Transaction
from billing.metering import recorder
from billing.metering.recorder import Usage
from billing.money import NANOS_IN_CENT
from billing.plans import subscribing
from billing.plans.seeds import PAY_AS_YOU_GO, seed_plans
from portal.kit import ids
from tests.fixtures.people import person

CENTS = st.integers(1, 500)
NANOS = st.integers(1, 3_000_000_000)


@dataclass
class Expected:
    """What the workspace must have, by a reckoning of our own."""

    promo: int = 0  # promotional credit, lent or not, over or not
    credit: int = 0  # bought credit, lent or not, over or not
    owed: int = 0
    payable: int = 0
    clearing: int = 0  # at Stripe


class Money(RuleBasedStateMachine):
    """A workspace that buys, uses, disputes, sells, while processes die."""

    def __init__(self) -> None:
        super().__init__()
        self.workspace = person(f"{ids.make('user')}@example.com").personal_workspace
        postings.open_accounts(self.workspace.pk)
        self.clearing_before = audit.totals()["clearing"]
        self.expected = Expected()
        self.top_ups: list[tuple[str, int]] = []
        self.disputed: list[tuple[str, int, int]] = []  # source, from credit, from what is owed
        self.subscription = ""
        self.held: list[holds.Hold] = []

    # Money comes in

    @rule(cents=CENTS, days=st.none() | st.integers(0, 3), repeated=st.booleans())
    def top_up(self, cents: int, days: int | None, repeated: bool) -> None:
        source, nanos = ids.make("pi"), cents * NANOS_IN_CENT
        until = None if days is None else timezone.now() + timedelta(days=days)
        assert postings.top_up(self.workspace.pk, nanos, source, expires_at=until)
        if repeated:
            assert not postings.top_up(self.workspace.pk, nanos, source, expires_at=until)
        self.expected.credit += nanos
        self.expected.clearing += nanos
        self.top_ups.append((source, cents))

    @rule(nanos=NANOS, days=st.none() | st.integers(0, 3))
    def grant(self, nanos: int, days: int | None) -> None:
        until = None if days is None else timezone.now() + timedelta(days=days)
        assert postings.grant_promo(self.workspace.pk, nanos, ids.make("gift"), "", expires_at=until)
        self.expected.promo += nanos

    @rule(fee=st.integers(0, 2_000), tax=st.integers(0, 400), rounding=st.integers(-5_000_000, 5_000_000))
    def invoice(self, fee: int, tax: int, rounding: int) -> None:
        id = ids.make("in")
        amounts = {"fee_nanos": fee * NANOS_IN_CENT, "tax_nanos": tax * NANOS_IN_CENT, "rounding_nanos": rounding}
        postings.charge(self.workspace.pk, f"{id}:charge", **amounts)
        assert not postings.charge(self.workspace.pk, f"{id}:charge", **amounts)
        self.expected.owed += sum(amounts.values())

    @rule(cents=CENTS)
    def pay(self, cents: int) -> None:
        source = ids.make("in")
        assert postings.pay_invoice(self.workspace.pk, cents, source)
        assert not postings.pay_invoice(self.workspace.pk, cents, source)
        self.expected.owed -= cents * NANOS_IN_CENT
        self.expected.clearing += cents * NANOS_IN_CENT

    # It is used

    @rule(most=NANOS, share=st.integers(0, 100), ends=st.sampled_from(["settled", "at work", "killed", "failed"]))
    def use(self, most: int, share: int, ends: str) -> None:
        cost = most * share // 100
        try:
            held = holds.hold(self.workspace.pk, "", most)
        except NoBudget:
            return
        if ends == "at work":
            self.held.append(held)
            return
        if ends == "failed":
            holds.release(held)
            return
        self._record(held, cost)
        if ends == "killed":
            self.kill()
        else:
            holds.settle(held, cost)

    @precondition(lambda self: self.held)
    @rule(share=st.integers(0, 100))
    def finish(self, share: int) -> None:
        held = self.held.pop()
        cost = held.nanos * share // 100
        self._record(held, cost)
        holds.settle(held, cost)

    def _record(self, held: holds.Hold, cost: int) -> None:
        recorder.record(
            Usage(
                request_id="req_x", workspace_id=self.workspace.pk, key_id="", model="a/b", version_id="ver_x",
                replica="", protocol="predictions", units={"request": 1}, price_id="price_x", cost_nanos=cost,
                lease_id=held.lease_id, funding=held.funding, held=held.parts, latency_ms=1,
            )
        )  # fmt: skip
        paid = held.parts.first(cost)
        self.expected.promo -= paid.promo
        self.expected.credit -= paid.credit
        self.expected.owed += paid.receivable

    # Processes die, and time passes

    @rule()
    def kill(self) -> None:
        purses.forget()
        self.held.clear()

    @rule()
    def sweep(self) -> None:
        self.kill()
        leases.sweep(timezone.now() + timedelta(minutes=10))

    @rule()
    def tend(self) -> None:
        tending.tend(time.monotonic() + 120)

    @rule(days=st.integers(0, 4))
    def expire(self, days: int) -> None:
        for lot in lots.expired(timezone.now() + timedelta(days=days)).filter(workspace=self.workspace):
            postings.expire(lot.pk)

    @rule(nanos=NANOS)
    def a_posting_that_dies_before_its_commit(self, nanos: int) -> None:
        try:
            with transaction.atomic():
                postings.top_up(self.workspace.pk, nanos, "never")
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        assert not Transaction.objects.filter(source="never").exists()

    # The plan changes

    @rule(active=st.booleans())
    def change_plan(self, active: bool) -> None:
        self.subscription = self.subscription or ids.make("sub")
        now = timezone.now()
        changed = subscribing.observe(
            workspace_id=self.workspace.pk, plan_code=PAY_AS_YOU_GO, stripe_id=self.subscription,
            status="active" if active else "canceled", period_start=now, period_end=now + timedelta(days=30),
            cancel_at_period_end=False, ended_at=None if active else now,
        )  # fmt: skip
        if changed is not None and not active:
            self.subscription = ""

    # Money goes back

    @precondition(lambda self: self.top_ups)
    @rule(cents=CENTS)
    def refund(self, cents: int) -> None:
        source, nanos = self.top_ups[-1][0], cents * NANOS_IN_CENT
        available = balance(self.workspace.pk).credit_nanos
        try:
            postings.refund_top_up(self.workspace.pk, nanos, ids.make("re"), of=source)
        except NotEnoughCredit:
            assert nanos > available
            return
        self.expected.credit -= nanos
        self.expected.clearing -= nanos

    @precondition(lambda self: self.top_ups)
    @rule()
    def dispute(self) -> None:
        _source, cents = self.top_ups.pop()
        source, nanos = ids.make("dp"), cents * NANOS_IN_CENT
        credit = min(balance(self.workspace.pk).credit_nanos, nanos)
        assert postings.reverse_payment(self.workspace.pk, cents, source, from_credit=True)
        assert not postings.reverse_payment(self.workspace.pk, cents, source, from_credit=True)
        self.expected.credit -= credit
        self.expected.owed += nanos - credit
        self.expected.clearing -= nanos
        self.disputed.append((source, credit, nanos - credit))

    @precondition(lambda self: self.disputed)
    @rule()
    def win_dispute(self) -> None:
        source, credit, owed = self.disputed.pop()
        assert postings.restore_payment(self.workspace.pk, source, f"{source}:won")
        assert not postings.restore_payment(self.workspace.pk, source, f"{source}:won")
        self.expected.credit += credit
        self.expected.owed -= owed
        self.expected.clearing += credit + owed

    # It sells

    @rule(nanos=NANOS)
    def earn(self, nanos: int) -> None:
        assert postings.earn(self.workspace.pk, nanos, ids.make("earn"))
        self.expected.payable += nanos

    @rule(nanos=NANOS)
    def take_back(self, nanos: int) -> None:
        assert postings.take_back(self.workspace.pk, nanos, ids.make("earn"))
        self.expected.payable -= nanos

    @rule(nanos=NANOS, arrives=st.booleans())
    def pay_out(self, nanos: int, arrives: bool) -> None:
        source = ids.make("payout")
        try:
            postings.pay_out(self.workspace.pk, nanos, source)
        except NotEnoughCredit:
            assert nanos > self.expected.payable
            return
        self.expected.payable -= nanos
        self.expected.clearing -= nanos
        if not arrives:
            assert postings.return_payout(self.workspace.pk, nanos, f"{source}:returned")
            self.expected.payable += nanos
            self.expected.clearing += nanos

    # Stripe keeps its fee, and sends the rest to the bank

    @rule(fee=st.integers(-100, 500), bank=st.integers(-500, 500))
    def stripe_takes(self, fee: int, bank: int) -> None:
        source, fee, bank = ids.make("txn"), fee * NANOS_IN_CENT, bank * NANOS_IN_CENT
        posted = bool(fee or bank)
        assert postings.stripe_took(source, fee_nanos=fee, bank_nanos=bank) is posted
        assert not postings.stripe_took(source, fee_nanos=fee, bank_nanos=bank)
        self.expected.clearing -= fee + bank

    # Always

    @invariant()
    def the_audit_finds_nothing(self) -> None:
        assert not audit.differences()
        assert not audit.differences_of_lots(leases.open_grants())
        assert not leases.differences()
        assert audit.totals()["holds"] == leases.open_nanos()

    @invariant()
    def clearing_and_payable_are_as_reckoned(self) -> None:
        assert self.clearing_before - audit.totals()["clearing"] == self.expected.clearing
        assert balance(self.workspace.pk).payable_nanos == self.expected.payable

    def _expired(self, kind: str) -> int:
        """By the job, or by who wanted to borrow it when it was over."""
        over = Entry.objects.filter(transaction__kind="expiry", debit__workspace=self.workspace, debit__kind=kind)
        return int(over.aggregate(nanos=Sum("amount_nanos", default=0))["nanos"])

    def teardown(self) -> None:
        self.sweep()
        self.the_audit_finds_nothing()
        has = balance(self.workspace.pk)
        assert has.held_nanos == 0
        assert has.promo_nanos == self.expected.promo - self._expired("promo")
        assert has.credit_nanos == self.expected.credit - self._expired("credit")
        assert has.owed_nanos == self.expected.owed


@pytest.mark.slow
def test_whatever_happens_the_book_adds_up(transactional_db: None) -> None:
    seed_plans()
    few = settings(
        max_examples=15,
        stateful_step_count=20,
    )
    run_state_machine_as_test(Money, settings=few)  # type: ignore[no-untyped-call] # hypothesis gives it no types
