"""An invoice that cannot be collected stays open, is tried again for a week, and is then given up as configured."""

from __future__ import annotations

import threading
import time
import urllib.request
from typing import Any

import pytest
import stripe

from tests.billing.sandbox.sdk import base_price, client_of, kinds, metered_price, someone, use, with_card
from tests.fixtures.stripe import Sandbox

DAY_S = 86400


@pytest.fixture
def client(sandbox: Sandbox) -> stripe.StripeClient:
    return client_of(sandbox)


def pro(client: stripe.StripeClient, customer: Any, cents: int = 2000) -> Any:
    return client.v1.subscriptions.create(
        {"customer": customer.id, "items": [{"price": base_price(client, cents).id, "quantity": 1}], "metadata": {"plan": "pro"}}
    )  # fmt: skip


def pay_with(client: stripe.StripeClient, customer: Any, token: str) -> None:
    method = client.v1.payment_methods.attach(token, {"customer": customer.id})
    client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})


def fails_at_the_turn(client: stripe.StripeClient, sandbox: Sandbox) -> tuple[Any, Any]:
    """A subscription whose second month could not be charged, and the customer."""
    customer = with_card(client)
    subscription = pro(client, customer)
    assert subscription.status == "active"
    pay_with(client, customer, "pm_card_chargeCustomerFail")
    end = subscription["items"].data[0].current_period_end
    sandbox.control("clock", advance_s=end - subscription.created + 2 * 3600)
    return customer, client.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})


def test_a_failed_month_is_past_due_and_paying_it_restores(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    customer, subscription = fails_at_the_turn(client, sandbox)
    invoice = subscription.latest_invoice
    assert (subscription.status, invoice.status, invoice.attempt_count) == ("past_due", "open", 1)
    assert invoice.next_payment_attempt == invoice.status_transitions.finalized_at + 3 * DAY_S
    assert "invoice.payment_failed" in kinds(client)
    with pytest.raises(stripe.CardError):
        client.v1.invoices.pay(invoice.id)
    pay_with(client, customer, "pm_card_visa")
    paid = client.v1.invoices.pay(invoice.id, {"expand": ["payments"]})
    assert (paid.status, paid.amount_paid, paid.attempt_count) == ("paid", 2000, 3)
    assert paid.payments is not None
    assert [(p.status, p.amount_paid) for p in paid.payments.data] == [("paid", 2000)]
    intent = client.v1.payment_intents.retrieve(str(paid.payments.data[0].payment.payment_intent))
    assert intent.amount_received == 2000
    found = client.v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": intent.id}}).data
    assert [payment.invoice for payment in found] == [invoice.id]
    assert client.v1.subscriptions.retrieve(subscription.id).status == "active"
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        client.v1.invoices.pay(invoice.id)


@pytest.mark.parametrize(("setting", "ends"), [("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")])
def test_after_the_last_attempt_it_ends_as_configured(
    client: stripe.StripeClient, sandbox: Sandbox, setting: str, ends: str
) -> None:
    sandbox.control("settings", after_retries=setting)
    _, subscription = fails_at_the_turn(client, sandbox)
    sandbox.control("clock", advance_s=8 * DAY_S)
    invoice = client.v1.invoices.retrieve(subscription.latest_invoice.id)
    assert (invoice.status, invoice.attempt_count, invoice.next_payment_attempt) == ("open", 4, None)
    assert client.v1.subscriptions.retrieve(subscription.id).status == ends
    assert kinds(client).count("invoice.payment_failed") == 4


def test_a_retry_succeeds_by_itself_when_the_card_was_replaced(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    customer, subscription = fails_at_the_turn(client, sandbox)
    pay_with(client, customer, "pm_card_mastercard")
    sandbox.control("clock", advance_s=3 * DAY_S + 60)
    assert client.v1.invoices.retrieve(subscription.latest_invoice.id).status == "paid"
    assert client.v1.subscriptions.retrieve(subscription.id).status == "active"


def test_a_bank_that_wants_its_customer_says_so_and_the_invoice_page_takes_it(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    customer = with_card(client)
    subscription = pro(client, customer)
    pay_with(client, customer, "pm_card_authenticationRequired")
    sandbox.control("clock", advance_s=32 * DAY_S)
    assert "invoice.payment_action_required" in kinds(client)
    invoice = client.v1.invoices.list({"subscription": subscription.id, "status": "open"}).data[0]
    assert client.v1.subscriptions.retrieve(subscription.id).status == "past_due"
    intent = client.v1.payment_intents.list({"customer": customer.id}).data[0]
    assert intent.status == "requires_action"
    assert "Complete authentication" in sandbox.press(str(invoice.hosted_invoice_url), card="4000002760003184")
    sandbox.press(str(invoice.hosted_invoice_url), card="4000002760003184", authenticated="yes")
    assert client.v1.invoices.retrieve(invoice.id).status == "paid"
    assert client.v1.subscriptions.retrieve(subscription.id).status == "active"


def test_a_customer_who_confirms_the_payment_of_an_invoice_pays_it(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    _, subscription = fails_at_the_turn(client, sandbox)
    invoice = client.v1.invoices.retrieve(subscription.latest_invoice.id, {"expand": ["payments"]})
    assert invoice.payments is not None
    intent = str(invoice.payments.data[0].payment.payment_intent)
    waiting: Any = client.v1.payment_intents.confirm(intent, {"payment_method": "pm_card_authenticationRequired"})
    assert client.v1.invoices.retrieve(invoice.id).status == "open"
    sandbox.press(waiting.next_action.redirect_to_url.url, authenticated="yes")
    assert client.v1.invoices.retrieve(invoice.id).amount_paid == 2000
    assert client.v1.subscriptions.retrieve(subscription.id).status == "active"


def test_months_that_pass_at_once_are_invoiced_in_order_each_at_its_own_time(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    customer = with_card(client)
    pro(client, customer)
    sandbox.control("clock", advance_s=100 * DAY_S)
    found = client.v1.invoices.list({"customer": customer.id}).data[::-1]
    assert [i.billing_reason for i in found] == ["subscription_create"] + ["subscription_cycle"] * 3
    assert [i.status for i in found] == ["paid"] * 4
    for before, after in zip(found[1:], found[2:], strict=False):
        assert after.period_start == before.period_end == before.created
        paid_at = before.status_transitions.paid_at
        assert paid_at == before.created + 3600
    events = [e.created for e in client.v1.events.list({"limit": 100}).data][::-1]
    assert events == sorted(events)


def test_what_is_too_little_to_charge_waits_for_the_next_invoice(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    _, metered = metered_price(client)
    customer = with_card(client)
    client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": metered.id}]})
    use(client, customer.id, "little", 300_000)
    sandbox.control("clock", advance_s=32 * DAY_S)
    use(client, customer.id, "more", 400_000)
    sandbox.control("clock", advance_s=31 * DAY_S)
    later, first = client.v1.invoices.list({"customer": customer.id}).data[:2]
    assert (first.total, first.amount_due, first.amount_paid, first.status) == (30, 0, 0, "paid")
    assert (later.total, later.starting_balance, later.amount_paid) == (40, 30, 70)
    assert [c.amount for c in client.v1.charges.list({"customer": customer.id}).data] == [70]


def test_a_one_off_invoice_has_the_items_that_waited(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    customer = someone(client)
    items = [
        client.v1.invoice_items.create(
            {"customer": customer.id, "amount": cents, "currency": "usd", "description": name}
        )
        for name, cents in (("Late usage", 1234), ("Mistake", 999))
    ]
    client.v1.invoice_items.delete(items[1].id)
    invoice = client.v1.invoices.create(
        {"customer": customer.id, "collection_method": "send_invoice", "days_until_due": 14, "pending_invoice_items_behavior": "include"}
    )  # fmt: skip
    added = client.v1.invoice_items.create(
        {"customer": customer.id, "invoice": invoice.id, "amount": 66, "currency": "usd"}
    )
    assert client.v1.invoices.retrieve(invoice.id).total == 1300
    client.v1.invoice_items.delete(added.id)
    sent = client.v1.invoices.send_invoice(invoice.id)
    assert (sent.status, sent.total) == ("open", 1234)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.invoice_items.create({"customer": customer.id, "invoice": invoice.id, "amount": 5, "currency": "usd"})
    with urllib.request.urlopen(str(sent.hosted_invoice_url)) as page:
        assert "Late usage" in page.read().decode()
    with urllib.request.urlopen(str(sent.invoice_pdf)) as file:
        pdf = file.read()
    assert pdf.startswith(b"%PDF-1.4")
    assert b"Late usage" in pdf
    assert "declined" in sandbox.press(str(sent.hosted_invoice_url), card="4000000000000002")
    sandbox.press(str(sent.hosted_invoice_url), card="4242424242424242")
    assert client.v1.invoices.retrieve(invoice.id).amount_paid == 1234


def test_void_and_uncollectible_are_ends(client: stripe.StripeClient) -> None:
    customer = someone(client)

    def opened() -> Any:
        invoice = client.v1.invoices.create({"customer": customer.id})
        client.v1.invoice_items.create(
            {"customer": customer.id, "invoice": invoice.id, "amount": 700, "currency": "usd"}
        )
        return client.v1.invoices.finalize_invoice(invoice.id)

    void = client.v1.invoices.void_invoice(opened().id)
    assert (void.status, void.amount_remaining) == ("void", 0)
    lost = client.v1.invoices.mark_uncollectible(opened().id)
    assert lost.status == "uncollectible"
    for refuse in (client.v1.invoices.void_invoice, client.v1.invoices.pay, client.v1.invoices.finalize_invoice):
        with pytest.raises(stripe.InvalidRequestError):
            refuse(void.id)
    elsewhere = client.v1.invoices.pay(lost.id, {"paid_out_of_band": True})
    assert (elsewhere.status, elsewhere.amount_remaining) == ("paid", 0)
    assert client.v1.charges.list().data == []


def test_the_lines_of_a_long_invoice_are_paged(client: stripe.StripeClient) -> None:
    customer = someone(client)
    invoice = client.v1.invoices.create({"customer": customer.id})
    for cents in range(100, 125):
        client.v1.invoice_items.create(
            {"customer": customer.id, "invoice": invoice.id, "amount": cents, "currency": "usd"}
        )
    found = client.v1.invoices.retrieve(invoice.id)
    assert (len(found.lines.data), found.lines.has_more) == (10, True)
    every = list(client.v1.invoices.line_items.list(invoice.id, {"limit": 7}).auto_paging_iter())
    assert [line.amount for line in every] == list(range(100, 125))
    assert sum(line.amount for line in every) == found.total


def test_tax_is_on_its_lines_by_country_and_reversed_for_businesses(client: stripe.StripeClient) -> None:
    fee = base_price(client, 1999)
    nowhere = with_card(client)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.subscriptions.create(
            {"customer": nowhere.id, "items": [{"price": fee.id}], "automatic_tax": {"enabled": True}}
        )
    assert caught.value.code == "customer_tax_location_invalid"
    for tax_id, tax, reason in ((None, 380, "standard_rated"), ("DE123456789", 0, "reverse_charge")):
        customer = with_card(client, address={"country": "DE"})
        if tax_id:
            client.v1.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": tax_id})
        made = client.v1.subscriptions.create(
            {"customer": customer.id, "items": [{"price": fee.id}], "automatic_tax": {"enabled": True}, "expand": ["latest_invoice"]}
        )  # fmt: skip
        invoice: Any = made.latest_invoice
        assert (invoice.subtotal, invoice.total, invoice.amount_paid) == (1999, 1999 + tax, 1999 + tax)
        assert [(t.amount, t.taxability_reason, t.taxable_amount) for t in invoice.total_taxes] == [(tax, reason, 1999)]
        assert [t.amount for t in invoice.lines.data[0].taxes] == [tax]


def test_an_invoice_that_is_voided_holds_nobody_back(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    _, subscription = fails_at_the_turn(client, sandbox)
    client.v1.invoices.void_invoice(subscription.latest_invoice.id)
    assert client.v1.subscriptions.retrieve(subscription.id).status == "active"
    sandbox.control("clock", advance_s=8 * DAY_S)
    assert client.v1.invoices.retrieve(subscription.latest_invoice.id).attempt_count == 1


@pytest.mark.slow
def test_power_cuts_in_the_middle_of_a_year_bill_each_month_once(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    customer = with_card(client)
    pro(client, customer)
    end = time.time() + 0.4
    turning = threading.Thread(target=_until_cut, args=(sandbox, 370 * DAY_S))
    turning.start()
    time.sleep(0.05)
    while time.time() < end:
        time.sleep(0.05)
        sandbox.kill()
        sandbox.start()
    turning.join(10)
    offset = client.v1.customers.create({}).created - int(time.time())
    sandbox.control("clock", advance_s=370 * DAY_S - offset)
    months = [
        i
        for i in client.v1.invoices.list({"customer": customer.id, "limit": 100}).data
        if i.billing_reason == "subscription_cycle"
    ]
    assert len({i.period_start for i in months}) == len(months) == 12
    assert {(i.status, i.amount_paid) for i in months} == {("paid", 2000)}
    assert len(client.v1.charges.list({"customer": customer.id, "limit": 100}).data) == 13


def _until_cut(sandbox: Sandbox, seconds: int) -> None:
    try:
        sandbox.control("clock", advance_s=seconds)
    except OSError:
        pass
