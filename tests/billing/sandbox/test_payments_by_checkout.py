"""Checkout takes money once, keeps the card where asked, and says so by events."""

from __future__ import annotations

import pytest
import stripe

from tests.billing.sandbox.sdk import base_price, client_of, kinds, metered_price, someone, top_up
from tests.fixtures.stripe import Sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> stripe.StripeClient:
    return client_of(sandbox)


def test_a_top_up_is_paid_once_and_the_card_is_kept(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    customer = someone(client)
    session = top_up(client, customer.id)
    assert (session.amount_total, session.payment_status) == (2500, "unpaid")
    for _ in range(2):
        assert sandbox.press(session.url, card="4242 4242 4242 4242") == f"http://localhost/done?s={session.id}"
    done = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge", "line_items"]})
    assert (done.status, done.payment_status) == ("complete", "paid")
    intent = done.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert (intent.status, intent.amount_received, intent.metadata.to_dict()) == (
        "succeeded",
        2500,
        {"top_up": "tup_1"},
    )
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert (intent.latest_charge.amount, intent.latest_charge.paid) == (2500, True)
    assert done.line_items is not None
    assert [item.amount_total for item in done.line_items.data] == [2500]
    kept = client.v1.customers.payment_methods.list(customer.id).data
    assert [method.id for method in kept] == [intent.payment_method]
    assert len(client.v1.charges.list({"customer": customer.id}).data) == 1
    told = kinds(client)
    for kind in ("payment_intent.succeeded", "charge.succeeded", "checkout.session.completed"):
        assert told.count(kind) == 1
    later = client.v1.payment_intents.create(
        {"amount": 1000, "currency": "usd", "customer": customer.id, "payment_method": kept[0].id, "off_session": True, "confirm": True}
    )  # fmt: skip
    assert later.status == "succeeded"


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("4000000000000002", "Your card was declined."),
        ("4000000000009995", "insufficient funds"),
        ("4000000000000069", "expired"),
        ("4242", "incomplete"),
    ],
)
def test_a_refused_card_can_be_replaced_on_the_same_page(
    client: stripe.StripeClient, sandbox: Sandbox, card: str, said: str
) -> None:
    session = top_up(client, someone(client).id)
    assert said in sandbox.press(session.url, card=card)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    sandbox.press(session.url, card="4242424242424242")
    done = client.v1.checkout.sessions.retrieve(session.id)
    assert done.payment_status == "paid"
    paid = [charge for charge in client.v1.charges.list().data if charge.paid]
    assert [charge.payment_intent for charge in paid] == [done.payment_intent]


def test_a_bank_that_asks_is_answered_on_its_page(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    session = top_up(client, someone(client).id)
    assert "Complete authentication" in sandbox.press(session.url, card="4000002500003155")
    assert "unable to authenticate" in sandbox.press(session.url, card="4000002500003155", authenticated="no")
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    sandbox.press(session.url, card="4000002500003155", authenticated="yes")
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_a_bank_debit_settles_days_later_or_fails(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    customer = someone(client)
    good, bad = top_up(client, customer.id), top_up(client, customer.id)
    sandbox.press(good.url, bank_account="000123456789")
    sandbox.press(bad.url, bank_account="000222222227")
    assert client.v1.checkout.sessions.retrieve(good.id).payment_status == "unpaid"
    assert [(one.status, one.paid) for one in client.v1.charges.list().data] == [("pending", False)] * 2
    net = 2500 - 103
    assert client.v1.balance.retrieve().pending[0].amount == 2 * net
    sandbox.control("clock", advance_s=5 * 86400)
    assert [one.status for one in client.v1.charges.list().data] == ["failed", "succeeded"]
    assert client.v1.balance.retrieve().available[0].amount == net
    assert client.v1.checkout.sessions.retrieve(good.id).payment_status == "paid"
    assert client.v1.checkout.sessions.retrieve(bad.id).payment_status == "unpaid"
    told = kinds(client)
    assert told.count("checkout.session.async_payment_succeeded") == 1
    assert told.count("checkout.session.async_payment_failed") == 1


def test_a_session_that_nobody_pays_expires(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    session = top_up(client, someone(client).id)
    sandbox.control("clock", advance_s=25 * 3600)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert "expired" in sandbox.press(session.url, card="4242424242424242")
    assert client.v1.charges.list().data == []
    assert kinds(client).count("checkout.session.expired") == 1


def test_a_base_fee_is_charged_at_once_and_usage_is_not(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    _, metered = metered_price(client)
    fee, customer = base_price(client), someone(client)
    session = client.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "customer": customer.id,
            "line_items": [{"price": fee.id, "quantity": 1}, {"price": metered.id}],
            "subscription_data": {"metadata": {"plan": "pro"}},
            "success_url": "http://x",
        }
    )
    assert session.amount_total == 2000
    assert "declined" in sandbox.press(str(session.url), card="4000000000000341")
    assert client.v1.subscriptions.list({"customer": customer.id}).data == []
    sandbox.press(str(session.url), card="4242424242424242")
    done = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["invoice"]})
    assert isinstance(done.invoice, stripe.Invoice)
    assert (done.invoice.status, done.invoice.amount_paid, done.invoice.billing_reason) == (
        "paid",
        2000,
        "subscription_create",
    )
    subscription = client.v1.subscriptions.retrieve(str(done.subscription))
    assert (subscription.status, subscription.metadata.to_dict()) == ("active", {"plan": "pro"})
    assert len(subscription["items"].data) == 2
    assert [charge.amount for charge in client.v1.charges.list({"customer": customer.id}).data] == [2000]


def test_a_card_is_kept_without_a_payment(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    customer = someone(client)
    session = client.v1.checkout.sessions.create(
        {"mode": "setup", "customer": customer.id, "currency": "usd", "success_url": "http://x", "setup_intent_data": {"metadata": {"a": "b"}}}
    )  # fmt: skip
    assert "declined" in sandbox.press(str(session.url), card="4000000000000002")
    sandbox.press(str(session.url), card="5555555555554444")
    done = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent.payment_method"]})
    assert done.payment_status == "no_payment_required"
    assert isinstance(done.setup_intent, stripe.SetupIntent)
    method = done.setup_intent.payment_method
    assert isinstance(method, stripe.PaymentMethod)
    assert method.card is not None
    assert (done.setup_intent.status, method.customer, method.card.last4) == ("succeeded", customer.id, "4444")


def test_what_a_mode_does_not_take_is_refused_by_name(client: stripe.StripeClient) -> None:
    customer = someone(client)
    refused = [
        ({"subscription_data": {"metadata": {"a": "b"}}}, "subscription_data"),
        ({"line_items": [{"price_data": {"currency": "usd", "unit_amount": 10, "product_data": {"name": "x"}}, "quantity": 1}]}, "line_items"),
        ({"line_items": [{"price_data": {"currency": "eur", "unit_amount": 999, "product_data": {"name": "x"}}, "quantity": 1}]}, "currency"),
        ({"line_items": [{"price_data": {"currency": "usd", "unit_amount": 999, "product_data": {"nam": "x"}}, "quantity": 1}]}, "line_items[0][price_data][product_data][nam]"),
        ({"line_items": [{"price_data": {"currency": "usd", "unit_amount": 999, "product_data": {"name": "x"}}, "quantity": -1}]}, "line_items[0][quantity]"),
    ]  # fmt: skip
    for change, param in refused:
        with pytest.raises(stripe.InvalidRequestError) as caught:
            top_up(client, customer.id, **change)
        assert caught.value.param == param
    assert client.v1.products.list().data == [], "nothing is half done"
