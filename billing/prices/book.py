"""The price book: which price of a product holds when, and prices in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.money import show
from billing.prices.models import Price
from billing.prices.quote import PER, Scheme, tiers_to
from billing.prices.units import UNITS
from portal.kit.caches import RecentValues

LATEST_FIRST = ("-starts_at", "-version")


def rate(unit: str, nanos: int) -> int:
    """Nano-dollars per million units, from the nano-dollars that `UNITS[unit].per` of them cost."""
    return nanos * PER // UNITS[unit].per


def listed(product: str) -> QuerySet[Price]:
    """The product's list prices, latest first, scheduled ones too."""
    return Price.objects.filter(product=product, workspace_id="").order_by(*LATEST_FIRST)


def current(product: str, at: datetime | None = None) -> Price | None:
    """The list price that holds now, or at another time. None: it is free."""
    return listed(product).filter(starts_at__lte=at or timezone.now()).first()


def currents(products: Iterable[str]) -> dict[str, Price]:
    """Product → its list price now, of those that have one."""
    begun = Price.objects.filter(product__in=list(products), workspace_id="", starts_at__lte=timezone.now())
    return {price.product: price for price in begun.order_by("starts_at", "version")}


def negotiated(product: str, workspace_id: str, at: datetime) -> Price | None:
    """The price that holds between us and this workspace alone, if there is one."""
    latest = Price.objects.filter(product=product, workspace_id=workspace_id, starts_at__lte=at)
    found = latest.order_by(*LATEST_FIRST).first() if workspace_id else None
    return None if found is None or (found.ends_at is not None and found.ends_at <= at) else found


@dataclass(frozen=True, slots=True)
class Page:
    """What the book says of a product: list prices that hold for somebody, latest first, and who negotiated one."""

    prices: tuple[Price, ...]
    negotiated_with: frozenset[str]


def _open_page(product: str) -> Page:
    now = timezone.now()
    prices = []
    for price in listed(product).filter(starts_at__lte=now).iterator(chunk_size=10):
        prices.append(price)
        if price.grandfather_until is None or price.grandfather_until <= now:
            break
    lasting = Price.objects.filter(Q(ends_at=None) | Q(ends_at__gt=now), product=product, starts_at__lte=now)
    return Page(tuple(prices), frozenset(lasting.exclude(workspace_id="").values_list("workspace_id", flat=True)))


_pages: RecentValues[str, Page] = RecentValues(_open_page, settings.CATALOG_MAX_AGE_S / 2)
page = _pages.get

# A price never changes, so it may be remembered for long.
_prices: RecentValues[str, Price] = RecentValues(lambda price_id: Price.objects.get(pk=price_id), 3_600)
price = _prices.get


def forget() -> None:
    """Drops what is remembered of pages."""
    _pages.forget()


def label(scheme: Scheme) -> str:
    """The price for people: "$0.10 / 1M input tokens · $0.0002 / request"; "Free" without a rate.

    Tiers are shown as their span: "$0.00–$0.10 / 1M input tokens".
    """
    parts = []
    for unit in UNITS.values():
        rates = rates_of(scheme, unit.name)
        if any(rates):
            low, high = (show(nanos * unit.per // PER) for nanos in (min(rates), max(rates)))
            parts.append(f"{low if low == high else f'{low}–{high}'} / {unit.label}")
    if scheme.minimum_nanos:
        parts.append(_("at least %(amount)s a request") % {"amount": show(scheme.minimum_nanos)})
    return " · ".join(parts) or _("Free")


def lines(scheme: Scheme) -> list[tuple[str, str]]:
    """(what it is of, amount) of each rate, tier by tier, in words."""
    rows = []
    for unit in UNITS.values():
        amounts = [(str(unit.label), nanos) for nanos in [scheme.rates[unit.name]]] if unit.name in scheme.rates else []
        tiers = scheme.tiers.get(unit.name)
        begin = 0
        for up_to, nanos in tiers.steps if tiers else ():
            span = f"{begin + 1:,}–{up_to:,}" if up_to else _("from %(count)s") % {"count": f"{begin + 1:,}"}
            amounts.append((_("%(unit)s, %(span)s a month") % {"unit": unit.label, "span": span}, nanos))
            begin = up_to or begin
        rows += [(what, show(nanos * unit.per // PER)) for what, nanos in amounts]
    if scheme.minimum_nanos:
        rows.append((_("request, at least"), show(scheme.minimum_nanos)))
    return rows


def to_json(price: Price) -> dict[str, object]:
    """A price for programs: nano-dollars, times as ISO 8601."""
    return {
        "id": price.pk,
        "version": price.version,
        "starts_at": price.starts_at.isoformat(timespec="seconds"),
        "price": label(price.scheme),
        "rates_nanos_per_million": price.rates,
        "tiers": tiers_to(price.scheme.tiers),
        "minimum_nanos": price.minimum_nanos,
    }


def rates_of(scheme: Scheme, unit: str) -> list[int]:
    """The unit's rate, or those of its tiers; none where the price does not name it."""
    if unit in scheme.rates:
        return [scheme.rates[unit]]
    return [step.rate for step in scheme.tiers[unit].steps] if unit in scheme.tiers else []
