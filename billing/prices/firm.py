"""Firm quotes: a price that holds for a while, signed by us, so that nothing is stored and nothing can be forged."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.core import signing

from billing.errors import QuoteInvalid
from billing.prices.models import Price
from portal.kit.caches import RecentValues

LIFETIME_S = 900
PREFIX = "quo_"
_SALT = "mercato.quote"


@dataclass(frozen=True, slots=True)
class Quote:
    """The price that one workspace was promised for one product."""

    workspace_id: str
    product: str
    price_id: str  # empty: it was free
    expires_at: int  # Unix time

    def rates(self) -> Mapping[str, int]:
        """Unit → nano-dollars per million units."""
        return _rates.get(self.price_id) if self.price_id else {}


def promise(workspace_id: str, product: str, price_id: str) -> tuple[str, Quote]:
    """The quote's id, and the quote."""
    quote = Quote(workspace_id, product, price_id, int(time.time()) + LIFETIME_S)
    return PREFIX + signing.dumps([workspace_id, product, price_id, quote.expires_at], salt=_SALT), quote


def read(quote_id: str) -> Quote:
    """The quote of this id. Raises QuoteInvalid for one that is forged or has expired."""
    try:
        quote = Quote(*signing.loads(quote_id.removeprefix(PREFIX), salt=_SALT))
    except (signing.BadSignature, TypeError, ValueError) as error:
        raise QuoteInvalid("This is not a quote of ours: ask for one at /v1/quotes.", param="x-quote-id") from error
    if quote.expires_at < time.time():
        raise QuoteInvalid("This quote has expired: ask for another at /v1/quotes.", param="x-quote-id")
    return quote


# A price never changes, so it may be remembered for long.
_rates: RecentValues[str, Mapping[str, int]] = RecentValues(
    lambda price_id: Price.objects.get(pk=price_id).rates, 3_600
)
