"""What Stripe's next invoice will say."""

from __future__ import annotations

from billing.plans.models import Subscription
from billing.stripe.client import client, linked, reachable


def preview_cents(subscription: Subscription) -> int | None:
    """The total of the running period's invoice so far, in cents. Raises StripeUnavailable (503)."""
    with reachable():
        customer = linked("customer", subscription.workspace_id)
        if customer is None or not subscription.stripe_id:
            return None
        return client().v1.invoices.create_preview({"customer": customer, "subscription": subscription.stripe_id}).total
