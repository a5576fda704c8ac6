"""Tells workspaces of a price that will rise, once each, and that it does not rise when it is taken back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction

from billing.metering import customers
from billing.prices import book, publishing, scrutiny
from billing.prices.models import Price
from billing.prices.quote import FREE, Scheme
from portal.accounts import mails

IN_USE = timedelta(days=30)  # who used a product in this time is told


def coming(now: datetime) -> set[str]:
    """The products with a price that has not started."""
    return set(Price.objects.filter(starts_at__gt=now).values_list("product", flat=True))


def announce(product: str, model: str, now: datetime) -> int:
    """Mails to whom a coming price is a rise: how many are new. `model`: the product's name in usage events."""
    told = 0
    for price in Price.objects.filter(product=product, starts_at__gt=now).order_by("starts_at"):
        scheme = _before(price)
        if not scrutiny.rises(scheme, price.scheme):
            continue
        workspaces = customers.since(model, now - IN_USE) - set(book.page(product).negotiated_with)
        told += _tell(price, {price.workspace_id} if price.workspace_id else workspaces, model, scheme)
    return told


def _before(price: Price) -> Scheme:
    """What holds until the price starts, for whom it is."""
    just_before = price.starts_at - timedelta(microseconds=1)
    list_price = book.current(price.product, just_before)
    held = book.negotiated(price.product, price.workspace_id, just_before) or list_price
    return held.scheme if held else FREE


def _tell(price: Price, workspaces: Iterable[str], model: str, before: Scheme) -> int:
    # Prices are called by the letter, in its reader's language.
    said = {
        "model": model,
        "price": price,
        "before": partial(book.label, before),
        "after": partial(book.label, price.scheme),
    }
    told = 0
    for workspace in workspaces:
        with transaction.atomic():
            if not Price.objects.select_for_update().filter(pk=price.pk).exists():
                break  # taken back meanwhile
            told += mails.post(_about(price), workspace, "billing/price_rises.txt", said)
    return told


def withdraw(price: Price, model: str) -> bool:
    """Takes back a price that has not started; who was told of it is told that. False where it has started: it stays."""
    with transaction.atomic():
        said = {"model": model, "price": price, "before": partial(book.label, _before(price))}
        if not publishing.withdraw(price):
            return False
        mails.take_back(_about(price), f"withdrawn:{_about(price)}", "billing/price_withdrawn.txt", said)
    return True


def _about(price: Price) -> str:
    return f"price:{price.pk}"
