"""Amounts that must get onto a workspace's next invoice: a row first, then an invoice item under the row's own key."""

from __future__ import annotations

import logging

import stripe
from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from billing.stripe.client import client, linked

log = logging.getLogger(__name__)
MOST_ATTEMPTS = 50


class Correction(models.Model):
    """An amount for a workspace's next invoice."""

    source = models.CharField(_("source"), max_length=120, unique=True)
    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("workspace")
    )
    cents = models.BigIntegerField(_("amount"))
    description = models.CharField(_("description"), max_length=200)
    subscription = models.CharField(
        _("subscription"), max_length=64, blank=True
    )  # whose next invoice; blank: the customer's
    stripe_id = models.CharField(
        _("id at Stripe"), max_length=64, blank=True
    )  # of the invoice item; blank: not told yet
    attempts = models.PositiveIntegerField(_("attempts"), default=0)

    class Meta:
        verbose_name = _("correction")
        verbose_name_plural = _("corrections")

    def __str__(self) -> str:
        return self.source


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
