"""Refunds, notes, annulled invoices and disputes at Stripe's stand-in, as the publishers of what was used feel them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from billing.earnings import accrual, audit, take_backs
from billing.earnings.reversals import Reversal
from billing.ledger import audit as ledger_audit
from billing.ledger import postings
from billing.ledger.balances import balance
from billing.plans.allowances import open_workspace
from billing.plans.seeds import PAY_AS_YOU_GO
from billing.stripe import client as stripe_client
from billing.stripe import ending, refunds, reports, sending
from billing.stripe.models import Invoice, TopUp
from billing.stripe.returns import Dispute
from portal.accounts.models import User, Workspace
from portal.kit import ids
from tests.billing.earnings.using import used
from tests.billing.stripe.test_credit_is_bought import buy
from tests.billing.stripe.test_plans_are_paid import subscribe
from tests.fixtures.payments import CARD, Stripe

DOLLAR = 1_000_000_000


@pytest.fixture(autouse=True)
def _all_is_right_in_the_end(at_stripe: Stripe) -> Iterator[None]:
    yield
    assert not audit.differences()
    assert not ledger_audit.differences()


def metered(at_stripe: Stripe, payer: User, card: str = CARD) -> None:
    """Subscribed, and the second over in which the period began: Stripe tells of no part of a second."""
    subscribe(at_stripe, payer.personal_workspace, PAY_AS_YOU_GO, card)
    time.sleep(1.1)


def uses(payer: User, seller: Workspace | None, nanos: int, funding: str) -> None:
    """Usage right now, and its lease settled."""
    owner, lease = payer.personal_workspace.pk, ids.make("lease")
    used(payer, seller, nanos, funding=funding, at=timezone.now())
    postings.lend(owner, {funding: nanos}, f"{lease}:0")
    postings.close_lease(owner, {funding: nanos}, {funding: nanos}, f"{lease}:close")


def owed(seller: Workspace) -> int:
    """When everything has been counted."""
    later = timezone.now() + timedelta(days=40)
    accrual.accrue(later)
    take_backs.carry_out(later)
    return balance(seller.pk).payable_nanos


def test_a_refunded_invoice_takes_its_share_and_a_refund_that_fails_gives_it_again(
    at_stripe: Stripe, workspace: Workspace, stranger: User
) -> None:
    metered(at_stripe, stranger)
    uses(stranger, workspace, 3 * DOLLAR, "receivable")
    ending.end_now(stranger.personal_workspace.pk, timezone.now())
    at_stripe.catch_up()
    invoice = Invoice.objects.get(total_cents=300)
    assert owed(workspace) == 2_400_000_000
    refunds.of_invoice(invoice, 100, "too slow", "op@example.com")
    at_stripe.catch_up()
    assert owed(workspace) == 1_600_000_000
    last = refunds.of_invoice(invoice, 200, "all of it", "op@example.com")
    assert owed(workspace) == 0
    refunds._undo(last)
    assert owed(workspace) == 1_600_000_000


def test_a_note_and_an_annulled_invoice_take_what_will_not_come(
    at_stripe: Stripe, workspace: Workspace, stranger: User
) -> None:
    metered(at_stripe, stranger, "4000 0000 0000 0341")
    uses(stranger, workspace, 5 * DOLLAR, "receivable")
    reports.make(timezone.now())
    sending.send_due(timezone.now() + timedelta(minutes=2))
    at_stripe.sandbox.control("clock", advance_s=31 * 86_400 + 7_200)
    at_stripe.catch_up()
    invoice = Invoice.objects.get(total_cents=500)
    assert (invoice.status, owed(workspace)) == ("open", 4 * DOLLAR)
    stripe = stripe_client.client()
    stripe.v1.credit_notes.create({"invoice": invoice.pk, "amount": 200}, {"idempotency_key": "n"})
    at_stripe.catch_up()
    assert owed(workspace) == 2_400_000_000
    stripe.v1.invoices.void_invoice(invoice.pk)
    at_stripe.catch_up()
    assert owed(workspace) == 0
    assert {row.why for row in Reversal.objects.all()} == {
        "A customer's invoice was reduced",
        "A customer's invoice was annulled",
    }


@pytest.mark.parametrize("won", [True, False])
def test_a_disputed_top_up_takes_what_of_it_was_spent_until_the_dispute_is_won(
    at_stripe: Stripe, workspace: Workspace, stranger: User, won: bool
) -> None:
    open_workspace(stranger.personal_workspace)
    at_stripe.pay(buy(stranger.personal_workspace, "50"), "4000 0000 0000 0259")
    at_stripe.deliver(at_stripe.events("payment_intent.succeeded")[0])
    uses(stranger, workspace, 15 * DOLLAR, "credit")
    uses(stranger, None, 5 * DOLLAR, "credit")
    assert owed(workspace) == 12 * DOLLAR
    at_stripe.catch_up()
    assert owed(workspace) == 0
    at_stripe.sandbox.control("disputes", dispute=Dispute.objects.get().pk, won=won)
    at_stripe.catch_up()
    assert owed(workspace) == (12 * DOLLAR if won else 0)


def test_spent_credit_that_is_refunded_at_stripe_is_taken_back_and_unspent_takes_nothing(
    at_stripe: Stripe, workspace: Workspace, stranger: User
) -> None:
    open_workspace(stranger.personal_workspace)
    at_stripe.pay(buy(stranger.personal_workspace, "50"))
    at_stripe.catch_up()
    uses(stranger, workspace, 40 * DOLLAR, "credit")
    refunds.of_top_up(TopUp.objects.get(), 500, "did not need it", "op@example.com")
    assert owed(workspace) == 32 * DOLLAR
    top_up = TopUp.objects.get().pk
    stripe_client.client().v1.refunds.create({"payment_intent": top_up, "amount": 1_500}, {"idempotency_key": "r"})
    at_stripe.catch_up()
    assert owed(workspace) == 24 * DOLLAR, "five were unspent; of the forty that were spent, ten went back"
