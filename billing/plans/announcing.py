"""Tells workspaces of a price that will rise, once each."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from billing.metering import customers
from billing.prices import book, scrutiny
from billing.prices.models import Price
from billing.prices.quote import FREE
from portal.accounts import mails

IN_USE = timedelta(days=30)  # who used a product in this time is told


def coming(now: datetime) -> set[str]:
    """The products with a price that has not started."""
    return set(Price.objects.filter(starts_at__gt=now).values_list("product", flat=True))


def announce(product: str, model: str, now: datetime) -> int:
    """Mails to whom a coming price is a rise: how many are new. `model`: the product's name in usage events."""
    told = 0
    for price in Price.objects.filter(product=product, starts_at__gt=now).order_by("starts_at"):
        just_before = price.starts_at - timedelta(microseconds=1)
        before = book.current(product, just_before)
        agreed = set(book.page(product).negotiated_with)
        workspaces = customers.since(model, now - IN_USE) - agreed
        if price.workspace_id:
            before = book.negotiated(product, price.workspace_id, just_before) or before
            workspaces = {price.workspace_id}
        scheme = before.scheme if before else FREE
        if not scrutiny.rises(scheme, price.scheme):
            continue
        # Called by the letter, in its reader's language.
        prices = {"before": partial(book.label, scheme), "after": partial(book.label, price.scheme)}
        said = {"model": model, "price": price, **prices}
        told += sum(
            mails.post(f"price:{price.pk}", workspace, "billing/price_rises.txt", said) for workspace in workspaces
        )
    return told
