"""Taxes, where Stripe works them out (settings.STRIPE_TAX). A tax is collected for the state: never revenue, never credit."""

from __future__ import annotations

from django.conf import settings
from stripe.params.checkout import SessionCreateParams


def at_checkout() -> SessionCreateParams:
    """What a Checkout session must ask for: an address, and a tax id of who has one."""
    if not settings.STRIPE_TAX:
        return {}
    return {
        "automatic_tax": {"enabled": True},
        "billing_address_collection": "required",
        "tax_id_collection": {"enabled": True},
        "customer_update": {"address": "auto", "name": "auto"},
    }


def share(tax: int, whole: int, back: int, back_tax: int, more: int) -> int:
    """The tax, in cents, in `more` cents that go back of a payment of `whole`.

    Of it `back` cents with `back_tax` went before. Rounded down over all that went back, so that the last cent takes the
    rest.
    """
    gone = tax * min(back + more, whole) // whole if whole > 0 else 0
    return min(max(gone - back_tax, 0), more)
