"""A tax is owed to the state on what stays paid: its share goes out of `taxes` with each refund, credit note and annulment."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from hypothesis import given
from hypothesis import strategies as st

from billing.ledger import audit
from billing.ledger.balances import balance
from billing.money import NANOS_IN_CENT
from billing.plans.allowances import open_workspace
from billing.plans.models import Plan
from billing.stripe import audit as stripe_audit
from billing.stripe import checkout, refunds, taxes
from billing.stripe import client as stripe_client
from billing.stripe.models import Invoice, TopUp
from billing.stripe.returns import CreditNote, Refund
from portal.accounts.models import Workspace
from tests.billing.stripe.test_credit_is_bought import buy
from tests.billing.stripe.test_plans_are_paid import PRO
from tests.billing.stripe.test_what_stripe_did_is_in_the_book import note, open_invoice
from tests.fixtures.payments import Stripe

GERMAN = {"country": "DE", "postal_code": "10115"}  # 19 %


def cents(account: str) -> int:
    return audit.totals()[account] // NANOS_IN_CENT


def adds_up() -> bool:
    return audit.differences() == [] and stripe_audit.differences() == []


@pytest.fixture
def paid(at_stripe: Stripe, workspace: Workspace, settings: LazySettings, request: pytest.FixtureRequest) -> Invoice:
    """An invoice of $20.00 and $3.80 of tax."""
    settings.STRIPE_TAX = True
    open_workspace(workspace)
    url = checkout.start(workspace, Plan.objects.get(pk=PRO), "olga@example.com", "http://x/", "http://x/")
    at_stripe.sandbox.press(url, card=getattr(request, "param", "4242424242424242"), **GERMAN)
    at_stripe.catch_up()
    assert cents("taxes") == 380
    return Invoice.objects.get(total_cents=2380)


@given(
    tax=st.integers(0, 9_999),
    net=st.integers(1, 100_000),
    parts=st.lists(st.integers(1, 40_000), max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_whatever_goes_back_in_whatever_order_the_last_cent_takes_the_rest(
    tax: int, net: int, parts: list[int], order: Any
) -> None:
    tax, whole = min(tax, net), min(tax, net) + net
    given, parts = parts, []
    for part in given:
        if sum(parts) + part <= whole:
            parts.append(part)
    order.shuffle(parts)
    back = back_tax = 0
    for part in [*parts, whole - sum(parts)]:
        more = taxes.share(tax, whole, back, back_tax, part)
        assert 0 <= more <= part
        back, back_tax = back + part, back_tax + more
        assert back_tax == tax * back // whole
    assert back_tax == tax


def test_a_refunded_invoice_takes_its_tax_along_to_the_last_cent(
    at_stripe: Stripe, workspace: Workspace, paid: Invoice
) -> None:
    for part, left in ((1, 380), (777, 256), (1, 256), (1601, 0)):
        made = refunds.of_invoice(paid, part, "a bad month", "op@example.com")
        assert made.gross_cents == part
        at_stripe.catch_up()
        assert cents("taxes") == left
        assert adds_up()
    assert (cents("clearing"), cents("refunds"), balance(workspace.pk).owed_nanos) == (0, -2000, 0)
    assert sum(one.amount for one in stripe_client.client().v1.refunds.list().data) == 2380


@pytest.mark.parametrize("paid", ["4000000000005126"], indirect=True)
def test_the_tax_of_a_refund_that_failed_is_owed_again(at_stripe: Stripe, paid: Invoice) -> None:
    refunds.of_invoice(paid, 1190, "its card will not take it", "op@example.com")
    assert cents("taxes") == 190
    at_stripe.sandbox.control("clock", advance_s=2 * 86_400)
    at_stripe.catch_up()
    assert Refund.objects.get().state == "failed"
    assert (cents("taxes"), cents("clearing"), cents("refunds")) == (380, -2380, 0)
    paid.refresh_from_db()
    assert paid.refunded_cents == 0
    assert adds_up()


def test_a_refund_that_was_made_at_stripe_takes_the_tax_along(at_stripe: Stripe, paid: Invoice) -> None:
    stripe = stripe_client.client()
    payment = stripe.v1.invoice_payments.list({"invoice": paid.pk}).data[0].payment.payment_intent
    stripe.v1.refunds.create({"payment_intent": str(payment), "amount": 1190})
    at_stripe.catch_up()
    assert (cents("taxes"), cents("refunds")) == (190, -1000)
    assert adds_up()


def test_credit_for_the_next_invoice_takes_the_tax_along(at_stripe: Stripe, paid: Invoice) -> None:
    told: Any = {"invoice": paid.pk, "amount": 1190, "credit_amount": 690, "refund_amount": 500}
    stripe_client.client().v1.credit_notes.create(told, {"idempotency_key": "n"})
    at_stripe.catch_up()
    assert cents("taxes") == 380 - 190
    assert (CreditNote.objects.get().gross_cents, Refund.objects.get().gross_cents) == (690, 500)
    assert adds_up()


def test_a_note_on_an_open_invoice_takes_the_tax_along_until_it_is_void(
    at_stripe: Stripe, workspace: Workspace, paid: Invoice
) -> None:
    id = open_invoice(at_stripe, workspace, 1000, automatic_tax={"enabled": True})
    assert cents("taxes") == 380 + 190
    first, second = note(id, 595, "first"), note(id, 238, "second")
    at_stripe.catch_up()
    assert cents("taxes") == 380 + 190 - 95 - 38
    stripe_client.client().v1.credit_notes.void_credit_note(first)
    at_stripe.catch_up()
    assert cents("taxes") == 380 + 190 - 38
    assert CreditNote.objects.get(pk=second).tax_cents == 38
    assert balance(workspace.pk).owed_nanos == (1190 - 238) * NANOS_IN_CENT
    assert adds_up()
    stripe_client.client().v1.invoices.void_invoice(id)
    at_stripe.catch_up()
    assert cents("taxes") == 380
    assert balance(workspace.pk).owed_nanos == 0
    assert adds_up()


def test_the_tax_of_what_was_given_up_stays_due_until_it_is_annulled(
    at_stripe: Stripe, workspace: Workspace, paid: Invoice
) -> None:
    id = open_invoice(at_stripe, workspace, 1000, automatic_tax={"enabled": True})
    for end, due in (("mark_uncollectible", 190), ("void_invoice", 0)):
        getattr(stripe_client.client().v1.invoices, end)(id)
        at_stripe.catch_up()
        assert cents("taxes") == 380 + due
        assert balance(workspace.pk).owed_nanos == 0
        assert adds_up()


def test_credit_refunded_at_stripe_takes_the_share_of_the_tax_that_is_in_it(
    at_stripe: Stripe, workspace: Workspace, settings: LazySettings
) -> None:
    settings.STRIPE_TAX = True
    open_workspace(workspace)
    at_stripe.sandbox.press(buy(workspace, "100"), card="4242424242424242", **GERMAN)
    at_stripe.catch_up()
    top_up = TopUp.objects.get()
    assert (top_up.tax_cents, cents("taxes")) == (1900, 1900)
    stripe_client.client().v1.refunds.create({"payment_intent": top_up.pk, "amount": 5950})
    at_stripe.catch_up()
    assert (cents("credit"), cents("taxes")) == (5000, 950)
    refunds.of_top_up(top_up, 5000, "the rest", "op@example.com")
    at_stripe.catch_up()
    assert (cents("credit"), cents("taxes"), cents("clearing")) == (0, 0, 0)
    assert adds_up()


def test_our_loss_on_spent_credit_is_whole_though_less_than_a_cent_is_left(
    at_stripe: Stripe, workspace: Workspace
) -> None:
    from billing.ledger import postings

    open_workspace(workspace)
    at_stripe.pay(buy(workspace, "50"))
    at_stripe.catch_up()
    spent = 20_000_000_001
    postings.lend(workspace.pk, {"credit": spent}, "lease:t:0")
    postings.close_lease(workspace.pk, {"credit": spent}, {"credit": spent}, "lease:t:close")
    stripe_client.client().v1.refunds.create({"payment_intent": TopUp.objects.get().pk, "amount": 4000})
    at_stripe.catch_up()
    assert (audit.totals()["clearing"], audit.totals()["credit"]) == (-1000 * NANOS_IN_CENT, 0)
    assert adds_up()
