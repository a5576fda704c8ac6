"""The card that Stripe charges."""

from __future__ import annotations

from dataclasses import dataclass

import stripe

from billing.plans import subscribing
from billing.stripe.client import client, linked, reachable


@dataclass(frozen=True, slots=True)
class Card:
    """What people may see of it. `brand` is Stripe's word, or the kind of a method that is no card."""

    brand: str
    last4: str
    exp_month: int | None = None
    exp_year: int | None = None


def default_card(workspace_id: str) -> Card | None:
    """The default payment method of the running subscription, else of the customer, as Stripe says now.

    None where there is none. Raises StripeUnavailable (503).
    """
    with reachable():
        customer = linked("customer", workspace_id)
        if customer is None:
            return None
        running = subscribing.running(workspace_id)
        method = None
        if running is not None and running.stripe_id:
            method = client().v1.subscriptions.retrieve(running.stripe_id).default_payment_method
        if not method:
            settings = client().v1.customers.retrieve(customer).invoice_settings
            method = settings.default_payment_method if settings else None
        if not method:
            return None
        try:
            found = client().v1.payment_methods.retrieve(str(method))
        except stripe.InvalidRequestError:
            return None  # detached since
    if found.type == "card" and found.card is not None:
        return Card(found.card.brand, found.card.last4 or "", found.card.exp_month, found.card.exp_year)
    return Card(found.type, "")
