"""Stripe's own SDK, pointed at the stand-in, and what tests make with it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import stripe

from tests.fixtures.stripe import Sandbox

DONE = "http://localhost/done?s={CHECKOUT_SESSION_ID}"


def client_of(sandbox: Sandbox) -> stripe.StripeClient:
    """A client that retries as ours does."""
    addresses: Any = dict.fromkeys(("api", "files", "connect", "meter_events"), sandbox.url)
    return stripe.StripeClient("sk_test_x", base_addresses=addresses, max_network_retries=2)


def metered_price(client: stripe.StripeClient) -> tuple[Any, Any]:
    """A meter, and a price of a micro-dollar by it."""
    meter = client.v1.billing.meters.create(
        {
            "display_name": "Usage",
            "event_name": "usage",
            "default_aggregation": {"formula": "sum"},
            "customer_mapping": {"type": "by_id", "event_payload_key": "stripe_customer_id"},
            "value_settings": {"event_payload_key": "value"},
        }
    )
    product = client.v1.products.create({"name": "Usage"})
    price = client.v1.prices.create(
        {
            "currency": "usd",
            "product": product.id,
            "billing_scheme": "per_unit",
            "unit_amount_decimal": Decimal("0.0001"),
            "recurring": {"interval": "month", "usage_type": "metered", "meter": meter.id},
            "lookup_key": "usage",
        }
    )
    return meter, price


def base_price(client: stripe.StripeClient, cents: int = 2000, name: str = "Pro") -> Any:
    """A monthly fee."""
    product = client.v1.products.create({"name": name})
    return client.v1.prices.create(
        {"currency": "usd", "product": product.id, "unit_amount": cents, "recurring": {"interval": "month"}}
    )


def someone(client: stripe.StripeClient, **more: Any) -> Any:
    """A customer."""
    return client.v1.customers.create({"email": "olga@example.com", "name": "Olga", **more})  # type: ignore[typeddict-item]


def with_card(client: stripe.StripeClient, token: str = "pm_card_visa", **more: Any) -> Any:
    """A customer whose default is the card of the token."""
    customer = someone(client, **more)
    method = client.v1.payment_methods.attach(token, {"customer": customer.id})
    client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
    return customer


def top_up(client: stripe.StripeClient, customer: str, cents: int = 2500, **more: Any) -> Any:
    """A Checkout session for a payment after which the card is kept."""
    return client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "customer": customer,
            "line_items": [
                {"price_data": {"currency": "usd", "unit_amount": cents, "product_data": {"name": "Credit"}}, "quantity": 1}
            ],
            "payment_intent_data": {"setup_future_usage": "off_session", "metadata": {"top_up": "tup_1"}},
            "success_url": DONE,
            "cancel_url": "http://localhost/back",
            **more,
        }
    )  # fmt: skip


def kinds(client: stripe.StripeClient) -> list[str]:
    """The types of all events, the oldest first."""
    return [str(event.type) for event in client.v1.events.list({"limit": 100}).data][::-1]


def use(client: stripe.StripeClient, customer: str, identifier: str, value: int, **more: Any) -> None:
    """Metered usage, in micro-dollars."""
    client.v1.billing.meter_events.create(
        {
            "event_name": "usage",
            "identifier": identifier,
            "payload": {"stripe_customer_id": customer, "value": str(value)},
            **more,
        },
        {"idempotency_key": identifier},
    )
