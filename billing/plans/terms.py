"""What a workspace pays for a product right now: which price, and which share of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from billing.metering import customers
from billing.plans import subscribing
from billing.prices import book, quote
from billing.prices.models import Price
from billing.prices.quote import LIST_BP, Scheme
from portal.kit.caches import RecentValues

BP_IN_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Terms:
    """A price, blank where it is free, and the share of it that is charged, in hundredths of a percent."""

    price_id: str = ""
    scheme: Scheme = quote.FREE
    factor_bp: int = LIST_BP
    negotiated: bool = False


NOTHING = Terms()


def terms_of(product: str, model: str, workspace_id: str) -> Terms:
    """What holds between us and this workspace, at most a second old.

    The negotiated price, charged whole; else the list price, of which the workspace's plan charges its percent: the
    version before for who is grandfathered, else the current one. `model`: the product's name in usage events.
    """
    return _terms.get((product, model, workspace_id))


def _agree(key: tuple[str, str, str]) -> Terms:
    product, model, workspace_id = key
    page = book.page(product)
    if workspace_id in page.negotiated_with:
        agreed = _negotiated.get((product, workspace_id))
        if agreed is not None:
            return Terms(agreed.pk, agreed.scheme, negotiated=True)
    prices = iter(page.prices)
    price = next(prices, None)
    while price is not None and _keeps_the_one_before(price, model, workspace_id):
        price = next(prices, None)
    if price is None:
        return NOTHING
    return Terms(price.pk, price.scheme, _percents.get(workspace_id) * BP_IN_PERCENT)


def _keeps_the_one_before(price: Price, model: str, workspace_id: str) -> bool:
    until = price.grandfather_until
    if until is None or until <= timezone.now():
        return False
    return _used.get((workspace_id, model, price.starts_at))


# Terms are made of what may be half a second old, and then are as old again at most.
_terms: RecentValues[tuple[str, str, str], Terms] = RecentValues(_agree, settings.CATALOG_MAX_AGE_S / 2)
_percents: RecentValues[str, int] = RecentValues(
    lambda workspace_id: subscribing.plan_of(workspace_id).price_percent, settings.CATALOG_MAX_AGE_S / 2
)
_negotiated: RecentValues[tuple[str, str], Price | None] = RecentValues(
    lambda key: book.negotiated(*key, timezone.now()), settings.CATALOG_MAX_AGE_S / 2
)
# What was used before a moment that has passed does not change, but for sums that are still being made.
_used: RecentValues[tuple[str, str, datetime], bool] = RecentValues(lambda key: customers.used_before(*key), 60)


def forget() -> None:
    """Drops what is remembered."""
    book.forget()
    _terms.forget()
    _percents.forget()
    _negotiated.forget()
    _used.forget()
