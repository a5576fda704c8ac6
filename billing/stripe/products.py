"""What Stripe must know before anyone can subscribe: the meter, a product and a price for each metered plan.

Each is looked up before it is made, and made under a deterministic idempotency key, so that a lost reply or two at
once make one.
"""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings

from billing.plans.models import Plan
from billing.stripe.client import client, link, linked

MICRO_DOLLAR_IN_CENTS = Decimal("0.0001")  # usage is reported in micro-dollars


def meter() -> str:
    """The id of the meter that sums micro-dollars by customer."""
    name = settings.METER_EVENT_NAME
    known = linked("meter", name)
    if known:
        return known
    for found in client().v1.billing.meters.list({"status": "active", "limit": 100}).auto_paging_iter():
        if found.event_name == name:
            return link("meter", name, found.id)
    made = client().v1.billing.meters.create(
        {
            "display_name": "Mercato usage, micro-dollars",
            "event_name": name,
            "default_aggregation": {"formula": "sum"},
            "customer_mapping": {"type": "by_id", "event_payload_key": "stripe_customer_id"},
            "value_settings": {"event_payload_key": "value"},
        },
        {"idempotency_key": f"meter-{name}"},
    )
    return link("meter", name, made.id)


def product(plan: Plan) -> str:
    """The id of the product that the plan's usage is."""
    known = linked("product", plan.code)
    if known:
        return known
    made = client().v1.products.create(
        {"name": f"Mercato {plan.name}: usage"}, {"idempotency_key": f"product-{plan.code}"}
    )
    return link("product", plan.code, made.id)


def price(plan: Plan) -> str:
    """The id of the plan's metered price: one micro-dollar a unit."""
    known = linked("price", plan.code)
    if known:
        return known
    lookup = f"mercato-{plan.code}-usage"
    found = client().v1.prices.list({"lookup_keys": [lookup], "limit": 1}).data
    if found:
        return link("price", plan.code, found[0].id)
    created = client().v1.prices.create(
        {
            "currency": "usd",
            "product": product(plan),
            "billing_scheme": "per_unit",
            "unit_amount_decimal": MICRO_DOLLAR_IN_CENTS,
            "recurring": {"interval": "month", "usage_type": "metered", "meter": meter()},
            "tax_behavior": "exclusive",
            "lookup_key": lookup,
        },
        {"idempotency_key": f"price-{plan.code}"},
    )
    return link("price", plan.code, created.id)


def credit() -> str:
    """The id of the product that a top-up buys."""
    known = linked("product", "credit")
    if known:
        return known
    made = client().v1.products.create({"name": "Mercato credit"}, {"idempotency_key": "product-credit"})
    return link("product", "credit", made.id)
