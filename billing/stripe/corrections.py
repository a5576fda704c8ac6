"""Amounts that must get onto a workspace's next invoice: a row first, then an invoice item under the row's own key."""

from __future__ import annotations

import logging

import stripe
from django.db.models import F

from billing.stripe.client import client, linked
from billing.stripe.models import Correction

log = logging.getLogger(__name__)
MOST_ATTEMPTS = 50


def add(workspace_id: str, source: str, cents: int, description: str, subscription: str = "") -> None:
    """Notes an amount, positive or negative; the same source once."""
    Correction.objects.get_or_create(
        source=source,
        defaults={
            "workspace_id": workspace_id,
            "cents": cents,
            "description": description,
            "subscription": subscription,
        },
    )


def send_due() -> int:
    """Tells Stripe what waits; how many. A lost reply is asked for again under the same key."""
    sent = 0
    for row in Correction.objects.filter(stripe_id="", attempts__lt=MOST_ATTEMPTS).order_by("pk")[:100]:
        Correction.objects.filter(pk=row.pk).update(attempts=F("attempts") + 1)
        customer = linked("customer", row.workspace_id)
        if customer is None:
            continue
        try:
            made = client().v1.invoice_items.create(
                {
                    "customer": customer,
                    "amount": row.cents,
                    "currency": "usd",
                    "description": row.description,
                    "metadata": {"source": row.source},
                    **({"subscription": row.subscription} if row.subscription else {}),
                },
                {"idempotency_key": row.source},
            )
        except stripe.StripeError as error:
            log.error("correction %s was not taken: %s", row.source, type(error).__name__)
            continue
        sent += Correction.objects.filter(pk=row.pk).update(stripe_id=made.id)
    return sent
