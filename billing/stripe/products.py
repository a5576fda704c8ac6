"""What Stripe must know before anyone can pay: the meter, the price of usage, a price for each base fee, credit.

Each is looked up before it is made, and made under a deterministic idempotency key, so that a lost reply or two at
once make one.
"""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from stripe.params import PriceCreateParams

from billing.money import NANOS_IN_CENT
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


def usage_price() -> str:
    """The id of the metered price of all plans: one micro-dollar a unit."""
    return _price(
        "mercato-usage",
        {
            "currency": "usd",
            "product": usage_product(),
            "billing_scheme": "per_unit",
            "unit_amount_decimal": MICRO_DOLLAR_IN_CENTS,
            "recurring": {"interval": "month", "usage_type": "metered", "meter": meter()},
        },
    )


def usage_product() -> str:
    """The id of the product that metered usage is."""
    return _product("usage", "Mercato usage")


def fee_price(plan: Plan) -> str:
    """The id of the plan's monthly fee: one price an amount, so that who subscribed before keeps theirs."""
    cents = plan.base_fee_nanos // NANOS_IN_CENT
    return _price(
        f"mercato-{plan.code}-fee-{cents}",
        {
            "currency": "usd",
            "product": _product(plan.code, f"Mercato {plan.name}"),
            "unit_amount": cents,
            "recurring": {"interval": "month", "usage_type": "licensed"},
        },
    )


def credit() -> str:
    """The id of the product that a top-up buys."""
    return _product("credit", "Mercato credit")


def _price(lookup: str, of: PriceCreateParams) -> str:
    known = linked("price", lookup)
    if known:
        return known
    found = client().v1.prices.list({"lookup_keys": [lookup], "limit": 1}).data
    if found:
        return link("price", lookup, found[0].id)
    made = client().v1.prices.create(
        {**of, "tax_behavior": "exclusive", "lookup_key": lookup},
        {"idempotency_key": f"price-{lookup}"},
    )
    return link("price", lookup, made.id)


def _product(key: str, name: str) -> str:
    known = linked("product", key)
    if known:
        return known
    return link("product", key, client().v1.products.create({"name": name}, {"idempotency_key": f"product-{key}"}).id)
