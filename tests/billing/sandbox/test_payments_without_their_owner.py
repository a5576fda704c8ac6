"""Cards are charged off-session; issuers refuse and want authentication as Stripe's test cards say."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.billing.sandbox.sdk import client_of, kinds, someone, with_card
from tests.fixtures.stripe import Sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> stripe.StripeClient:
    return client_of(sandbox)


def charge(client: stripe.StripeClient, customer: Any, key: str = "k", **more: Any) -> Any:
    method = client.v1.customers.payment_methods.list(customer.id).data[0]
    return client.v1.payment_intents.create(
        {
            "amount": 1500, "currency": "usd", "customer": customer.id, "payment_method": method.id, "off_session": True,
            "confirm": True, "metadata": {"recharge": "rch_1"}, **more,
        },
        {"idempotency_key": key},
    )  # fmt: skip


def test_a_card_that_fails_later_fails_as_stripe_says(client: stripe.StripeClient) -> None:
    customer = with_card(client, "pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError) as caught:
        charge(client, customer)
    error = caught.value
    assert (error.http_status, error.code) == (402, "card_declined")
    body: Any = error.json_body
    assert body["error"]["decline_code"] == "generic_decline"
    intent = client.v1.payment_intents.retrieve(body["error"]["payment_intent"]["id"])
    assert intent.status == "requires_payment_method"
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.decline_code == "generic_decline"
    failed = client.v1.charges.retrieve(str(intent.latest_charge))
    assert (failed.status, failed.paid, failed.failure_code) == ("failed", False, "card_declined")
    with pytest.raises(stripe.CardError) as again:
        charge(client, customer)
    body = again.value.json_body
    assert body["error"]["payment_intent"]["id"] == intent.id, "the same key does not try again"
    assert kinds(client).count("payment_intent.payment_failed") == 1


def test_a_bank_that_wants_its_customer_is_told_nobody_is_there(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    customer = with_card(client, "pm_card_authenticationRequired")
    with pytest.raises(stripe.CardError) as caught:
        charge(client, customer)
    assert caught.value.code == "authentication_required"
    body: Any = caught.value.json_body
    id, method = body["error"]["payment_intent"]["id"], body["error"]["payment_method"]["id"]
    # Its customer comes back and confirms on-session.
    waiting = client.v1.payment_intents.confirm(
        id, {"payment_method": method, "return_url": "http://localhost/back?x=1"}
    )
    assert waiting.status == "requires_action"
    assert waiting.next_action is not None
    assert waiting.next_action.redirect_to_url is not None
    where = str(waiting.next_action.redirect_to_url.url)
    assert (
        sandbox.press(where, authenticated="yes")
        == f"http://localhost/back?x=1&payment_intent={id}&redirect_status=succeeded"
    )
    sandbox.press(where, authenticated="yes")
    assert client.v1.payment_intents.retrieve(id).amount_received == 1500
    assert kinds(client).count("payment_intent.succeeded") == 1


def test_a_card_that_was_set_up_with_authentication_is_not_asked_again(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    customer = someone(client)
    setup = client.v1.setup_intents.create(
        {"customer": customer.id, "payment_method": "pm_card_authenticationRequiredOnSetup", "confirm": True, "return_url": "http://x"}
    )  # fmt: skip
    assert setup.status == "requires_action"
    assert setup.next_action is not None
    assert setup.next_action.redirect_to_url is not None
    sandbox.press(str(setup.next_action.redirect_to_url.url), authenticated="yes")
    assert client.v1.setup_intents.retrieve(setup.id).status == "succeeded"
    assert charge(client, customer).status == "succeeded"
    bare = with_card(client, "pm_card_authenticationRequiredOnSetup")
    with pytest.raises(stripe.CardError, match="authentication"):
        charge(client, bare, key="bare")


def test_a_card_belongs_to_one_customer_and_goes_when_detached(client: stripe.StripeClient) -> None:
    customer, other = with_card(client), someone(client)
    method = client.v1.customers.payment_methods.list(customer.id).data[0]
    for refuse in (
        lambda: client.v1.payment_methods.attach(method.id, {"customer": other.id}),
        lambda: client.v1.customers.update(other.id, {"invoice_settings": {"default_payment_method": method.id}}),
        lambda: client.v1.payment_intents.create({"amount": 100, "currency": "usd", "customer": other.id, "payment_method": method.id}),
    ):  # fmt: skip
        with pytest.raises(stripe.InvalidRequestError):
            refuse()
    client.v1.payment_methods.detach(method.id)
    gone = client.v1.customers.retrieve(customer.id)
    assert gone.invoice_settings is not None
    assert gone.invoice_settings.default_payment_method is None
    with pytest.raises(stripe.CardError, match="declined"):
        client.v1.payment_methods.attach("pm_card_visa_chargeDeclined", {"customer": other.id})


@pytest.mark.parametrize(
    ("amount", "code"),
    [(0, "parameter_invalid_integer"), (-5, "amount_too_small"), (49, "amount_too_small"), (10**9, "amount_too_large"), ("1.5", "parameter_invalid_integer")],
)  # fmt: skip
def test_an_absurd_amount_is_refused(client: stripe.StripeClient, amount: Any, code: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.create({"amount": amount, "currency": "usd"})
    assert (caught.value.param, caught.value.code) == ("amount", code if amount != 0 else "amount_too_small")


def test_an_intent_that_ended_stays_as_it_is(client: stripe.StripeClient) -> None:
    paid = charge(client, with_card(client))
    intent = client.v1.payment_intents.create({"amount": 100, "currency": "usd"})
    assert client.v1.payment_intents.cancel(intent.id).status == "canceled"
    for ended in (paid, intent):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.v1.payment_intents.confirm(ended.id, {"payment_method": "pm_card_visa"})
        assert caught.value.code == "payment_intent_unexpected_state"


def test_a_payment_moves_the_balance_less_stripes_fee(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    charge(client, with_card(client))
    moved = client.v1.balance_transactions.list().data[0]
    assert (moved.amount, moved.fee, moved.net, moved.status) == (1500, 74, 1426, "pending")
    assert [b.amount for b in client.v1.balance.retrieve().pending] == [1426]
    sandbox.control("clock", advance_s=3 * 86400)
    assert [b.amount for b in client.v1.balance.retrieve().available] == [1426]
