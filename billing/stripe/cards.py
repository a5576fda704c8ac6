"""The card that Stripe charges, as people may see it."""

from __future__ import annotations

from dataclasses import dataclass

from billing.stripe import customers
from billing.stripe.client import reachable


@dataclass(frozen=True, slots=True)
class Card:
    """`brand` is Stripe's word, or the kind of a method that is no card."""

    brand: str
    last4: str = ""
    exp_month: int | None = None
    exp_year: int | None = None


def default_card(workspace_id: str) -> Card | None:
    """What is charged when nobody is there; None without. Raises StripeUnavailable (503)."""
    with reachable():
        found = customers.card(workspace_id)
    if found is None:
        return None
    if found.card is None:
        return Card(found.type)
    return Card(found.card.brand, found.card.last4 or "", found.card.exp_month, found.card.exp_year)
