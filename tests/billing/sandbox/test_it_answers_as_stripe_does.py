"""The stand-in, driven by Stripe's own SDK."""

from __future__ import annotations

import time
from typing import Any

import pytest
import stripe

from tests.billing.sandbox.sdk import client_of, metered_price, use
from tests.fixtures.stripe import Sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> stripe.StripeClient:
    return client_of(sandbox)


def subscribed(client: stripe.StripeClient, sandbox: Sandbox) -> tuple[Any, Any, Any]:
    meter, price = metered_price(client)
    customer = client.v1.customers.create({"email": "a@example.com", "metadata": {"workspace": "ws_1"}})
    session = client.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "customer": customer.id,
            "client_reference_id": "ws_1",
            "line_items": [{"price": price.id}],
            "success_url": "http://localhost/done?s={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://localhost/back",
        }
    )
    where = sandbox.press(str(session.url), card="4242 4242 4242 4242")
    assert where == f"http://localhost/done?s={session.id}"
    done = client.v1.checkout.sessions.retrieve(session.id)
    return meter, customer, client.v1.subscriptions.retrieve(str(done.subscription))


def test_usage_ends_on_the_preview_in_whole_cents_rounded_half_up(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    meter, customer, subscription = subscribed(client, sandbox)
    use(client, customer.id, "one", 12345)
    use(client, customer.id, "two", 2655)
    preview = client.v1.invoices.create_preview({"customer": customer.id, "subscription": subscription.id})
    assert preview.total == 2  # 15,000 micro-dollars are 1.5 cents
    minute = int(time.time()) // 60 * 60
    sums = client.v1.billing.meters.event_summaries.list(
        meter.id, {"customer": customer.id, "start_time": minute - 3600, "end_time": minute + 3600}
    )
    assert [s.aggregated_value for s in sums.data] == [15000]


def test_the_period_is_on_the_items_and_the_subscription_of_an_invoice_in_its_parent(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    _, customer, subscription = subscribed(client, sandbox)
    item = subscription["items"].data[0]
    assert item.current_period_end - item.current_period_start >= 28 * 86400
    invoice = client.v1.invoices.list({"customer": customer.id}).data[0]
    assert invoice.parent is not None
    assert invoice.parent.subscription_details is not None
    assert invoice.parent.subscription_details.subscription == subscription.id


def test_a_repeated_identifier_is_refused_without_a_code(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    _, customer, _ = subscribed(client, sandbox)
    use(client, customer.id, "same", 1)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.billing.meter_events.create(
            {"event_name": "usage", "identifier": "same", "payload": {"stripe_customer_id": customer.id, "value": "1"}}
        )
    assert caught.value.user_message == "An event already exists with identifier same."
    assert caught.value.code is None


@pytest.mark.parametrize("value", ["1.5", "-1", "x", "1" * 16])
def test_a_meter_takes_whole_numbers_only(client: stripe.StripeClient, sandbox: Sandbox, value: str) -> None:
    _, customer, _ = subscribed(client, sandbox)
    with pytest.raises(stripe.InvalidRequestError):
        use(client, customer.id, "bad", value)


def test_a_timestamp_may_be_35_days_old_and_5_minutes_ahead(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    _, customer, _ = subscribed(client, sandbox)
    now = int(time.time())
    use(client, customer.id, "old", 1, timestamp=now - 34 * 86400)
    for name, moment in (("older", now - 36 * 86400), ("later", now + 600)):
        with pytest.raises(stripe.InvalidRequestError):
            use(client, customer.id, name, "1", timestamp=moment)


def test_unknown_parameters_are_refused_by_name(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.customers.create({"emial": "a@example.com"})  # type: ignore[typeddict-unknown-key]
    assert caught.value.code == "parameter_unknown"
    assert caught.value.param == "emial"


def test_a_metered_price_takes_no_quantity_at_checkout(client: stripe.StripeClient) -> None:
    _, price = metered_price(client)
    with pytest.raises(stripe.InvalidRequestError, match="[Qq]uantity"):
        client.v1.checkout.sessions.create(
            {"mode": "subscription", "success_url": "http://x", "line_items": [{"price": price.id, "quantity": 1}]}
        )


def test_an_idempotency_key_gives_the_first_result_again_and_refuses_other_parameters(
    client: stripe.StripeClient,
) -> None:
    first = client.v1.customers.create({"email": "a@example.com"}, {"idempotency_key": "k"})
    assert client.v1.customers.create({"email": "a@example.com"}, {"idempotency_key": "k"}).id == first.id
    with pytest.raises(stripe.IdempotencyError):
        client.v1.customers.create({"email": "b@example.com"}, {"idempotency_key": "k"})


def test_a_lost_reply_is_retried_and_done_once(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    _, customer, subscription = subscribed(client, sandbox)
    sandbox.control("faults", kind="lose_reply", path="/v1/billing/meter_events", count=1)
    use(client, customer.id, "lost", 20000)
    preview = client.v1.invoices.create_preview({"customer": customer.id, "subscription": subscription.id})
    assert preview.total == 2


def test_a_declined_card_pays_nothing_and_a_double_press_pays_once(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    _, price = metered_price(client)
    session = client.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "line_items": [{"price": price.id}],
            "success_url": "http://x/?s={CHECKOUT_SESSION_ID}",
        }
    )
    assert "declined" in sandbox.press(str(session.url), card="4000000000000002")
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    for _ in range(2):
        sandbox.press(str(session.url), card="4242424242424242")
    assert len(client.v1.subscriptions.list({"status": "all"}).data) == 1


def test_everything_survives_a_power_cut(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    _, customer, subscription = subscribed(client, sandbox)
    use(client, customer.id, "kept", 30000)
    sandbox.kill()
    sandbox.start()
    assert client.v1.invoices.create_preview({"customer": customer.id, "subscription": subscription.id}).total == 3


def test_a_period_that_ends_is_invoiced_once_and_the_next_one_begins(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    _, customer, subscription = subscribed(client, sandbox)
    use(client, customer.id, "used", 40000)
    before = subscription["items"].data[0].current_period_end
    sandbox.control("clock", advance_s=32 * 86400)
    after = client.v1.subscriptions.retrieve(subscription.id)["items"].data[0]
    assert after.current_period_start == before
    cycle = [
        i for i in client.v1.invoices.list({"customer": customer.id}).data if i.billing_reason == "subscription_cycle"
    ]
    assert [(i.total, i.status) for i in cycle] == [(4, "paid")]


def test_without_a_test_key_nothing_is_answered(sandbox: Sandbox) -> None:
    addresses: Any = dict.fromkeys(("api", "files", "connect", "meter_events"), sandbox.url)
    with pytest.raises(stripe.AuthenticationError):
        stripe.StripeClient("sk_live_x", base_addresses=addresses).v1.customers.list()
