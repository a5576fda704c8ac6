"""Refunds, credit notes and disputes: each cent once, never more than came in."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest
import stripe

from tests.billing.sandbox.sdk import client_of, kinds, someone, with_card
from tests.fixtures.stripe import Sandbox

DAY_S = 86400


@pytest.fixture
def client(sandbox: Sandbox) -> stripe.StripeClient:
    return client_of(sandbox)


def paid(client: stripe.StripeClient, token: str = "pm_card_bypassPending", cents: int = 5000) -> Any:
    customer = with_card(client, token)
    method = client.v1.customers.payment_methods.list(customer.id).data[0]
    return client.v1.payment_intents.create(
        {"amount": cents, "currency": "usd", "customer": customer.id, "payment_method": method.id, "confirm": True}
    )


def invoiced(client: stripe.StripeClient, customer: Any, cents: int = 3000, **more: Any) -> Any:
    invoice = client.v1.invoices.create({"customer": customer.id, **more})
    client.v1.invoice_items.create(
        {"customer": customer.id, "invoice": invoice.id, "amount": cents, "currency": "usd", "description": "Usage"}
    )
    return client.v1.invoices.finalize_invoice(invoice.id, {"auto_advance": False})


def available(client: stripe.StripeClient) -> int:
    return client.v1.balance.retrieve().available[0].amount


def test_refunds_add_up_to_the_charge_and_no_further(client: stripe.StripeClient) -> None:
    intent = paid(client)
    before = available(client)
    first = client.v1.refunds.create(
        {"payment_intent": intent.id, "amount": 2000, "reason": "requested_by_customer"}, {"idempotency_key": "r"}
    )
    again = client.v1.refunds.create(
        {"payment_intent": intent.id, "amount": 2000, "reason": "requested_by_customer"}, {"idempotency_key": "r"}
    )
    assert (first.id, first.status, first.amount) == (again.id, "succeeded", 2000)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"charge": str(intent.latest_charge), "amount": 3001})
    assert caught.value.param == "amount"
    client.v1.refunds.create({"charge": str(intent.latest_charge)})
    charge = client.v1.charges.retrieve(str(intent.latest_charge), {"expand": ["refunds"]})
    assert (charge.amount_refunded, charge.refunded) == (5000, True)
    assert charge.refunds is not None
    assert [refund.amount for refund in charge.refunds.data] == [3000, 2000]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_already_refunded"
    assert available(client) == before - 5000, "Stripe keeps its fee"
    assert [kinds(client).count(kind) for kind in ("refund.created", "charge.refunded")] == [2, 2]


@pytest.mark.parametrize("given", [{}, {"charge": "ch_nobody"}, {"payment_intent": "pi_nobody"}, {"amount": 5}])
def test_a_refund_of_nothing_is_refused(client: stripe.StripeClient, given: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create(given)


@pytest.mark.parametrize("amount", [0, -1, "x", 10**12])
def test_an_absurd_refund_is_refused(client: stripe.StripeClient, amount: Any) -> None:
    intent = paid(client)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent.id, "amount": amount})
    assert client.v1.charges.retrieve(str(intent.latest_charge)).amount_refunded == 0


def test_a_refund_that_the_bank_sends_back_is_undone(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    intent = paid(client, "pm_card_refundFail")
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    sandbox.control("clock", advance_s=2 * DAY_S)
    failed = client.v1.refunds.retrieve(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert client.v1.charges.retrieve(str(intent.latest_charge)).amount_refunded == 0
    assert "refund.failed" in kinds(client)


def test_an_open_invoice_is_owed_less_and_a_void_note_owed_again(client: stripe.StripeClient) -> None:
    invoice = invoiced(client, with_card(client))
    told = client.v1.credit_notes.preview({"invoice": invoice.id, "amount": 1000})
    assert (told.total, client.v1.credit_notes.list().data) == (1000, [])
    note = client.v1.credit_notes.create(
        {"invoice": invoice.id, "amount": 1000, "reason": "product_unsatisfactory", "memo": "Slow"}
    )
    assert (note.type, note.status, note.pre_payment_amount) == ("pre_payment", "issued", 1000)
    assert client.v1.invoices.retrieve(invoice.id).amount_remaining == 2000
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.credit_notes.create({"invoice": invoice.id, "amount": 2001})
    assert client.v1.credit_notes.void_credit_note(note.id).status == "void"
    assert client.v1.invoices.retrieve(invoice.id).amount_remaining == 3000
    client.v1.credit_notes.create({"invoice": invoice.id, "amount": 500})
    assert client.v1.invoices.pay(invoice.id).amount_paid == 2500
    with urllib.request.urlopen(note.pdf) as file:
        assert file.read().startswith(b"%PDF")


def test_a_note_over_all_that_is_owed_settles_the_invoice(client: stripe.StripeClient) -> None:
    invoice = invoiced(client, someone(client))
    client.v1.credit_notes.create({"invoice": invoice.id, "amount": 3000})
    settled = client.v1.invoices.retrieve(invoice.id)
    assert (settled.status, settled.amount_paid, settled.amount_remaining) == ("paid", 0, 0)


def test_a_paid_invoice_is_refunded_or_credited_to_the_next(client: stripe.StripeClient) -> None:
    customer = with_card(client)
    invoice = invoiced(client, customer)
    client.v1.invoices.pay(invoice.id)
    with pytest.raises(stripe.InvalidRequestError, match="must equal"):
        client.v1.credit_notes.create({"invoice": invoice.id, "amount": 1000})
    note = client.v1.credit_notes.create(
        {"invoice": invoice.id, "amount": 1000, "refund_amount": 600, "credit_amount": 400}
    )
    assert (note.type, note.post_payment_amount) == ("post_payment", 1000)
    refund = client.v1.refunds.retrieve(str(note.refunds[0].refund))
    assert (refund.amount, refund.status) == (600, "succeeded")
    assert client.v1.customers.retrieve(customer.id).balance == -400
    line = client.v1.invoices.retrieve(invoice.id).lines.data[0]
    more: Any = {
        "invoice": invoice.id,
        "lines": [{"type": "invoice_line_item", "invoice_line_item": line.id, "amount": 2001}],
        "refund_amount": 2001,
    }
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.credit_notes.create(more)
    following = invoiced(client, customer, 1000)
    assert (following.total, following.starting_balance, following.amount_due) == (1000, -400, 600)
    assert client.v1.customers.retrieve(customer.id).balance == 0


def test_the_tax_of_a_line_is_credited_with_it(client: stripe.StripeClient) -> None:
    invoice = invoiced(client, with_card(client, address={"country": "FR"}), 1000, automatic_tax={"enabled": True})
    assert invoice.total == 1200
    note = client.v1.credit_notes.create(
        {
            "invoice": invoice.id,
            "lines": [{"type": "invoice_line_item", "invoice_line_item": invoice.lines.data[0].id, "amount": 500}],
        }
    )
    assert (note.subtotal, note.total, note.total_excluding_tax) == (500, 600, 500)
    assert client.v1.invoices.retrieve(invoice.id).amount_remaining == 600
    assert [line.amount for line in client.v1.credit_notes.line_items.list(note.id).data] == [500]


def test_a_dispute_takes_the_money_until_it_is_won(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    intent = paid(client, "pm_card_createDispute")
    dispute = client.v1.disputes.list({"payment_intent": intent.id}).data[0]
    assert (dispute.amount, dispute.status, dispute.charge) == (5000, "needs_response", intent.latest_charge)
    assert client.v1.charges.retrieve(str(intent.latest_charge)).disputed is True
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_disputed"
    sent = client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "They used it."}})
    assert (sent.status, sent.evidence_details.submission_count) == ("under_review", 1)
    sandbox.control("disputes", dispute=dispute.id, won=True)
    sandbox.control("disputes", dispute=dispute.id, won=False)
    won = client.v1.disputes.retrieve(dispute.id)
    assert (won.status, [t.net for t in won.balance_transactions]) == ("won", [-6500, 5000])
    told = [kind for kind in kinds(client) if kind.startswith("charge.dispute")]
    assert told == [
        f"charge.dispute.{what}" for what in ("created", "funds_withdrawn", "updated", "closed", "funds_reinstated")
    ]


def test_a_dispute_that_nobody_answers_is_lost_and_evidence_can_win(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    paid(client, "pm_card_createDispute"), paid(client, "pm_card_createDispute")
    won, lost = client.v1.disputes.list().data
    client.v1.disputes.update(won.id, {"evidence": {"uncategorized_text": "winning_evidence"}})
    sandbox.control("clock", advance_s=8 * DAY_S)
    assert [client.v1.disputes.retrieve(d.id).status for d in (won, lost)] == ["won", "lost"]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.disputes.update(lost.id, {"evidence": {"uncategorized_text": "late"}})
