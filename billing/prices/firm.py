"""Firm quotes: a price that holds for a while, signed by us, so that nothing is stored and nothing can be forged."""

from __future__ import annotations

import time
from dataclasses import astuple, dataclass

from django.core import signing

from billing.errors import QuoteInvalid
from billing.prices import book
from billing.prices.quote import FREE, LIST_BP, Scheme

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
    factor_bp: int = LIST_BP  # the share of the price that is charged

    def scheme(self) -> Scheme:
        """How the price makes money of units."""
        return book.price(self.price_id).scheme if self.price_id else FREE


def promise(workspace_id: str, product: str, price_id: str, factor_bp: int) -> tuple[str, Quote]:
    """The quote's id, and the quote."""
    quote = Quote(workspace_id, product, price_id, int(time.time()) + LIFETIME_S, factor_bp)
    return PREFIX + signing.dumps(list(astuple(quote)), salt=_SALT), quote


def read(quote_id: str) -> Quote:
    """The quote of this id. Raises QuoteInvalid for one that is forged or has expired."""
    try:
        quote = Quote(*signing.loads(quote_id.removeprefix(PREFIX), salt=_SALT))
    except (signing.BadSignature, TypeError, ValueError) as error:
        raise QuoteInvalid("This is not a quote of ours: ask for one at /v1/quotes.", param="x-quote-id") from error
    if quote.expires_at < time.time():
        raise QuoteInvalid("This quote has expired: ask for another at /v1/quotes.", param="x-quote-id")
    return quote
