"""Refunds, credit notes and disputes: by an operator here or at Stripe, and the ledger adds up after each."""

from __future__ import annotations

import random
from typing import Any

import pytest

from billing.credit import recharge
from billing.ledger import audit, postings
from billing.ledger.balances import balance
from billing.money import NANOS
from billing.plans.allowances import open_workspace
from billing.stripe import client as stripe_client
from billing.stripe import refunds
from billing.stripe.models import Invoice, StripeEvent, TopUp
from billing.stripe.returns import Dispute, Refund
from portal.accounts.models import Mail, User, Workspace
from portal.kit.errors import Problem
from tests.billing.stripe.test_credit_is_bought import buy
from tests.billing.stripe.test_plans_are_paid import PRO, subscribe
from tests.fixtures.payments import Stripe, book


def bought(at_stripe: Stripe, workspace: Workspace, dollars: str = "50", card: str = "4242424242424242") -> TopUp:
    open_workspace(workspace)
    at_stripe.pay(buy(workspace, dollars), card)
    at_stripe.catch_up()
    return TopUp.objects.get()


def spend_credit(workspace: Workspace, nanos: int) -> None:
    postings.lend(workspace.pk, {"credit": nanos}, "lease:t:0")
    postings.close_lease(workspace.pk, {"credit": nanos}, {"credit": nanos}, "lease:t:close")


def at_stripe_refunded() -> int:
    return sum(one.amount for one in stripe_client.client().v1.refunds.list({"limit": 100}).data)


def test_unspent_credit_goes_back_once_and_never_more(at_stripe: Stripe, workspace: Workspace) -> None:
    top_up = bought(at_stripe, workspace)
    spend_credit(workspace, 20 * NANOS)
    made = refunds.of_top_up(top_up, 1000, "did not need it", "op@example.com")
    assert (made.state, at_stripe_refunded()) == ("sent", 1000)
    at_stripe.catch_up()
    assert balance(workspace.pk).credit_nanos == 20 * NANOS
    before = book()
    for cents, reason in (
        (2001, "more than is left"),
        (4001, "more than was paid"),
        (0, "none"),
        (-5, "less"),
        (5, "  "),
    ):
        with pytest.raises(Problem):
            refunds.of_top_up(top_up, cents, reason, "op@example.com")
        assert book() == before
    refunds.of_top_up(top_up, 2000, "the rest", "op@example.com")
    at_stripe.catch_up()
    assert balance(workspace.pk).credit_nanos == 0
    assert audit.totals()["clearing"] == -20 * NANOS
    assert TopUp.objects.get().refunded_cents == 3000


def test_a_refund_whose_reply_is_lost_is_made_once(at_stripe: Stripe, workspace: Workspace) -> None:
    top_up = bought(at_stripe, workspace)
    at_stripe.sandbox.control("faults", kind="lose_reply", path="/v1/refunds", count=9)
    made = refunds.of_top_up(top_up, 1000, "again", "op@example.com")
    assert made.state == "wanted"
    at_stripe.sandbox.control("faults", kind="lose_reply", path="/v1/refunds", count=0)
    for _ in range(4):
        refunds.send_due()
    at_stripe.catch_up()
    assert Refund.objects.get().state == "sent"
    assert at_stripe_refunded() == 1000
    assert balance(workspace.pk).credit_nanos == 40 * NANOS


def test_a_refund_that_was_made_at_stripe_takes_unspent_credit_and_is_our_loss_beyond(
    at_stripe: Stripe, workspace: Workspace
) -> None:
    top_up = bought(at_stripe, workspace)
    spend_credit(workspace, 45 * NANOS)
    stripe_client.client().v1.refunds.create({"payment_intent": top_up.pk, "amount": 2000}, {"idempotency_key": "r"})
    at_stripe.catch_up()
    has = balance(workspace.pk)
    assert (has.credit_nanos, has.owed_nanos) == (0, 0)
    assert audit.totals()["refunds"] == -15 * NANOS
    assert audit.totals()["clearing"] == -30 * NANOS


def test_a_paid_invoice_can_be_refunded_in_parts(at_stripe: Stripe, workspace: Workspace) -> None:
    subscribe(at_stripe, workspace, PRO)
    invoice = Invoice.objects.get(total_cents=2000)
    refunds.of_invoice(invoice, 500, "a bad day", "op@example.com")
    at_stripe.catch_up()
    before = book()
    with pytest.raises(Problem):
        refunds.of_invoice(invoice, 1501, "too much", "op@example.com")
    assert book() == before
    assert at_stripe_refunded() == 500
    assert audit.totals()["clearing"] == -15 * NANOS
    assert audit.totals()["refunds"] == -5 * NANOS
    assert Invoice.objects.get(pk=invoice.pk).refunded_cents == 500


def test_a_credit_note_makes_an_open_invoice_less(at_stripe: Stripe, workspace: Workspace) -> None:
    from billing.stripe.customers import customer

    open_workspace(workspace)
    stripe, owner = stripe_client.client(), customer(workspace, "olga@example.com")
    made = stripe.v1.invoices.create(
        {"customer": owner, "collection_method": "send_invoice", "days_until_due": 30}, {"idempotency_key": "i"}
    )
    item: Any = {"customer": owner, "invoice": str(made.id), "amount": 700, "currency": "usd"}
    stripe.v1.invoice_items.create(item, {"idempotency_key": "ii"})
    stripe.v1.invoices.finalize_invoice(str(made.id))
    at_stripe.catch_up()
    stripe.v1.credit_notes.create({"invoice": str(made.id), "amount": 200}, {"idempotency_key": "n"})
    at_stripe.catch_up()
    assert balance(workspace.pk).owed_nanos == 5 * NANOS
    stripe.v1.invoices.pay(str(made.id), {"payment_method": "pm_card_visa"}, {"idempotency_key": "p"})
    at_stripe.catch_up()
    assert balance(workspace.pk).owed_nanos == 0
    assert audit.totals()["clearing"] == -5 * NANOS


@pytest.mark.parametrize("won", [True, False])
def test_a_dispute_takes_what_is_left_and_the_rest_is_owed_until_it_is_won(
    at_stripe: Stripe, workspace: Workspace, owner: User, won: bool
) -> None:
    User.objects.filter(pk=owner.pk).update(is_staff=True)
    recharge.wish(workspace, {"below": "5", "amount": "10", "month": "100"})
    open_workspace(workspace)
    at_stripe.pay(buy(workspace, "50"), "4000 0000 0000 0259")
    paid = at_stripe.events("payment_intent.succeeded")
    at_stripe.deliver(paid[0])
    spend_credit(workspace, 20 * NANOS)
    at_stripe.catch_up()
    has = balance(workspace.pk)
    assert (has.credit_nanos, has.owed_nanos) == (0, 20 * NANOS)
    assert audit.totals()["clearing"] == 0
    dispute = Dispute.objects.get()
    assert (dispute.cents, dispute.status) == (5000, "needs_response")
    assert Mail.objects.filter(key__startswith=f"dispute:{dispute.pk}").count() == 1
    wish = recharge.of(workspace.pk)
    assert wish is not None
    assert wish.paused
    at_stripe.sandbox.control("disputes", dispute=dispute.pk, won=won)
    at_stripe.catch_up()
    has = balance(workspace.pk)
    assert (has.credit_nanos, has.owed_nanos) == ((30 * NANOS, 0) if won else (0, 20 * NANOS))
    assert Dispute.objects.get().status == ("won" if won else "lost")
    assert audit.differences() == []


def test_a_disputed_invoice_is_owed_again(at_stripe: Stripe, workspace: Workspace) -> None:
    subscribe(at_stripe, workspace, PRO, "4000 0000 0000 0259")
    at_stripe.catch_up()
    assert balance(workspace.pk).owed_nanos == 20 * NANOS
    assert audit.totals()["clearing"] == 0
    at_stripe.sandbox.control("disputes", dispute=Dispute.objects.get().pk, won=True)
    at_stripe.catch_up()
    assert balance(workspace.pk).owed_nanos == 0
    assert audit.totals()["clearing"] == -20 * NANOS


@pytest.mark.slow
def test_a_thousand_deliveries_in_any_order_lead_to_the_same_book(at_stripe: Stripe, workspace: Workspace) -> None:
    """T7: a subscription, credit that is bought, refunded and disputed, an invoice that is refunded."""
    subscribe(at_stripe, workspace, PRO)
    at_stripe.pay(buy(workspace, "50"))
    at_stripe.pay(buy(workspace, "70", "form00002"), "4000 0000 0000 0259")
    at_stripe.catch_up()
    refunds.of_top_up(TopUp.objects.get(cents=5000), 1200, "part of it", "op@example.com")
    refunds.of_invoice(Invoice.objects.get(total_cents=2000), 300, "a bad day", "op@example.com")
    dispute = Dispute.objects.get()
    at_stripe.sandbox.control("disputes", dispute=dispute.pk, won=True)
    at_stripe.catch_up()
    before, told = book(), at_stripe.events()
    rows = (TopUp.objects.count(), Invoice.objects.count(), Refund.objects.count(), Dispute.objects.count())
    dice, delivered = random.Random(7), 0
    while delivered < 1000:
        StripeEvent.objects.all().delete()
        dice.shuffle(told)
        for event in told:
            at_stripe.deliver(event)
            delivered += 1
        assert book() == before
    assert (TopUp.objects.count(), Invoice.objects.count(), Refund.objects.count(), Dispute.objects.count()) == rows
