"""The workspace as Stripe knows it: a customer, and the card that it pays with."""

from __future__ import annotations

from typing import Any

import stripe

from billing.stripe.client import client, key_of, link, linked
from portal.accounts.models import Workspace


def customer(workspace: Workspace, email: str) -> str:
    """Stripe's id of the workspace, made at the first call."""
    known = linked("customer", workspace.pk)
    if known:
        return known
    made = client().v1.customers.create(
        {"email": email, "name": workspace.name, "metadata": {"workspace": workspace.pk}},
        {"idempotency_key": f"customer-{workspace.pk}"},
    )
    return link("customer", workspace.pk, made.id)


def workspace_of(thing: Any) -> str | None:
    """The workspace of a Stripe object with a customer; None for another system's in the same Stripe account."""
    return key_of("customer", str(thing.customer)) if thing.customer else None


def card(workspace_id: str) -> stripe.PaymentMethod | None:
    """The card that is charged when nobody is there: the default, else the one that was kept last."""
    known = linked("customer", workspace_id)
    if known is None:
        return None
    default = client().v1.customers.retrieve(known).invoice_settings
    if default and default.default_payment_method:
        return client().v1.payment_methods.retrieve(str(default.default_payment_method))
    kept = client().v1.payment_methods.list({"customer": known, "type": "card", "limit": 1}).data
    return kept[0] if kept else None


def keep_card(customer_id: str, payment_method: str) -> None:
    """Makes a card the default where there is none."""
    found = client().v1.customers.retrieve(customer_id)
    if found.invoice_settings and found.invoice_settings.default_payment_method:
        return
    client().v1.customers.update(
        customer_id,
        {"invoice_settings": {"default_payment_method": payment_method}},
        {"idempotency_key": f"default-{customer_id}-{payment_method}"},
    )
