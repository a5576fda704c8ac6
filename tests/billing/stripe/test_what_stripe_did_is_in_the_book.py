"""The audit proves that invoices, notes, top-ups, refunds, disputes and payouts have their postings, and postings their rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from billing.earnings.models import Earning, Payout, PayoutState, Publisher
from billing.ledger import postings
from billing.money import NANOS, NANOS_IN_CENT
from billing.plans.allowances import open_workspace
from billing.stripe import audit, refunds
from billing.stripe import client as stripe_client
from billing.stripe.customers import customer
from billing.stripe.models import Invoice, TopUp
from billing.stripe.returns import CreditNote, Dispute, Refund
from portal.accounts.models import Workspace
from tests.billing.stripe.test_credit_is_bought import buy
from tests.billing.stripe.test_plans_are_paid import PRO, subscribe
from tests.fixtures.payments import Stripe


def open_invoice(at_stripe: Stripe, workspace: Workspace, cents: int, key: str = "i", **more: Any) -> str:
    """An invoice that waits for its payment."""
    stripe, owner = stripe_client.client(), customer(workspace, "olga@example.com")
    about: Any = {"customer": owner, "collection_method": "send_invoice", "days_until_due": 30, **more}
    made = stripe.v1.invoices.create(about, {"idempotency_key": key})
    item: Any = {"customer": owner, "invoice": str(made.id), "amount": cents, "currency": "usd"}
    stripe.v1.invoice_items.create(item, {"idempotency_key": f"{key}-item"})
    stripe.v1.invoices.finalize_invoice(str(made.id))
    at_stripe.catch_up()
    return str(made.id)


def note(invoice_id: str, cents: int, key: str) -> str:
    given: Any = {"invoice": invoice_id, "amount": cents}
    return str(stripe_client.client().v1.credit_notes.create(given, {"idempotency_key": key}).id)


Change = Callable[[Any], object]


def one_cent_more(name: str) -> Change:
    return lambda rows: rows.update(**{name: F(name) + 1})


def becomes(**state: str) -> Change:
    return lambda rows: rows.update(**state)


@pytest.fixture
def everything(at_stripe: Stripe, workspace: Workspace) -> Stripe:
    """One of each: paid, open, void and given up; refunded, disputed and won, failed and reversed."""
    subscribe(at_stripe, workspace, PRO)
    stripe = stripe_client.client()
    for form, amount, card in (
        ("form00001", "50", "4242424242424242"),
        ("form00002", "70", "4000000000000259"),
        ("form00003", "20", "4000000000005126"),
        ("form00004", "30", "4000000000000259"),
    ):
        at_stripe.pay(buy(workspace, amount, form), card)
    at_stripe.catch_up()
    refunds.of_top_up(TopUp.objects.get(cents=5000), 1200, "part of it", "op@example.com")
    refunds.of_top_up(TopUp.objects.get(cents=2000), 700, "its card will not take it", "op@example.com")
    refunds.of_invoice(Invoice.objects.get(total_cents=2000), 300, "a bad day", "op@example.com")
    stripe.v1.refunds.create({"payment_intent": TopUp.objects.get(cents=5000).pk, "amount": 900})
    at_stripe.sandbox.control("disputes", dispute=Dispute.objects.get(cents=7000).pk, won=True)
    open_invoice(at_stripe, workspace, 600, "stays open")
    for cents, key, end in ((800, "void", stripe.v1.invoices.void_invoice),
                            (900, "given up", stripe.v1.invoices.mark_uncollectible)):  # fmt: skip
        id = open_invoice(at_stripe, workspace, cents, key)
        note(id, 100, f"note of {key}")
        end(id)
    noted = open_invoice(at_stripe, workspace, 700, "noted")
    note(noted, 200, "stays")
    stripe.v1.credit_notes.void_credit_note(note(noted, 50, "goes"))
    at_stripe.sandbox.control("clock", advance_s=2 * 86_400)  # the card has not taken the refund
    at_stripe.catch_up()
    about: Any = {
        "seller": workspace,
        "model": "a/b",
        "hour": timezone.now(),
        "matures_at": timezone.now(),
        "fee_bp": 0,
    }
    Publisher.objects.create(seller=workspace)
    Earning.objects.create(part=1, gross_nanos=50 * NANOS, net_nanos=50 * NANOS, **about)
    postings.earn(workspace.pk, 50 * NANOS, "earning:x")
    for state, attempt in ((PayoutState.PAID, 1), (PayoutState.FAILED, 1)):
        payout = Payout.objects.create(seller=workspace, cents=1000, state=state, attempt=attempt)
        postings.pay_out(workspace.pk, payout.nanos, f"payout:{payout.pk}:1")
        if state == PayoutState.FAILED:
            postings.return_payout(workspace.pk, payout.nanos, f"payout:{payout.pk}:1:back")
    return at_stripe


def test_each_thing_has_its_postings_and_a_row_that_says_something_else_is_named_with_both_amounts(
    everything: Stripe,
) -> None:
    assert audit.differences() == []
    states = {
        *Invoice.objects.values_list("status", flat=True),
        *Refund.objects.values_list("state", flat=True),
        *Dispute.objects.values_list("status", flat=True),
        *CreditNote.objects.values_list("status", flat=True),
    }
    assert states >= {"paid", "open", "void", "uncollectible", "sent", "failed", "won", "needs_response", "issued"}
    call_command("audit_ledger")
    told = [
        (TopUp.objects.filter(cents=5000), one_cent_more("tax_cents"), "topup", "clearing", -5000, -5001),
        (Invoice.objects.filter(total_cents=2000), one_cent_more("paid_cents"), "invoice", "clearing", -2000, -2001),
        (Invoice.objects.filter(total_cents=600), one_cent_more("total_cents"), "invoice", "revenue", 600, 601),
        (Invoice.objects.filter(status="void"), one_cent_more("noted_cents"), "invoice", "adjustments", -700, -699),
        (CreditNote.objects.filter(cents=200), one_cent_more("cents"), "note", "refunds", -200, -201),
        (Refund.objects.filter(cents=1200), one_cent_more("cents"), "refund", "clearing", 1200, 1201),
        (Refund.objects.filter(state="failed"), becomes(state="sent"), "refund", "clearing", 0, 700),
        (Dispute.objects.filter(cents=3000), one_cent_more("cents"), "dispute", "clearing", 3000, 3001),
        (Dispute.objects.filter(cents=7000), becomes(status="lost"), "dispute", "clearing", 0, 7000),
        (Payout.objects.filter(state="paid"), one_cent_more("cents"), "payout", "clearing", 1000, 1001),
    ]  # fmt: skip
    for rows, change, prefix, account, posted, due in told:
        row = rows.get()
        with transaction.atomic():
            change(rows.filter(pk=row.pk))
            sentence = (
                f"{prefix} {row.pk}: {posted * NANOS_IN_CENT} posted on {account}, {due * NANOS_IN_CENT} by its row"
            )
            assert sentence in audit.differences()
            with pytest.raises(CommandError, match="differences"):
                call_command("audit_ledger")
            transaction.set_rollback(True)


def test_a_posting_without_a_row_is_found(at_stripe: Stripe, workspace: Workspace) -> None:
    open_workspace(workspace)
    postings.top_up(workspace.pk, 500, "topup:pi_never")
    postings.pay_invoice(workspace.pk, 1, "invoice:in_never:paid")
    assert audit.differences() == [
        f"topup pi_never: -500 on clearing, 500 on credit of {workspace.pk} posted, and there is no such row",
        f"invoice in_never: -{NANOS_IN_CENT} on clearing, {NANOS_IN_CENT} on receivable of {workspace.pk} posted, and there is no such row",
    ]  # fmt: skip


def test_a_posting_on_another_workspace_is_found(at_stripe: Stripe, workspace: Workspace, stranger: Any) -> None:
    open_workspace(workspace)
    TopUp.objects.create(stripe_id="pi_1", workspace=workspace, status="succeeded", cents=7, created_at=timezone.now())
    other = stranger.personal_workspace
    open_workspace(other)
    postings.top_up(other.pk, 7 * NANOS_IN_CENT, "topup:pi_1")
    assert audit.differences() == [
        f"topup pi_1: 0 posted on credit of {workspace.pk}, {7 * NANOS_IN_CENT} by its row",
        f"topup pi_1: {7 * NANOS_IN_CENT} posted on credit of {other.pk}, 0 by its row",
    ]


def test_money_at_stripe_that_moves_by_nothing_known_is_found(at_stripe: Stripe, workspace: Workspace) -> None:
    open_workspace(workspace)
    postings.top_up(workspace.pk, 500, "by hand:1")
    assert audit.differences() == ["postings by hand… move what is at Stripe, by nothing that Stripe did"]
