"""The price book: publishing the next version of a price, and saying prices in words."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from billing.errors import MoneyInvalid
from billing.money import LARGEST, show
from billing.prices.models import Price
from billing.prices.quote import PER
from billing.prices.units import UNITS


def rate(unit: str, nanos: int) -> int:
    """Nano-dollars per million units, from the nano-dollars that `UNITS[unit].per` of them cost."""
    return nanos * PER // UNITS[unit].per


def publish(product: str, rates: Mapping[str, int]) -> Price:
    """The product's price from now on: the next version, or the current one where nothing changes.

    `rates`: unit → nano-dollars per million units. Raises MoneyInvalid.
    """
    for unit, nanos in rates.items():
        if unit not in UNITS:
            raise MoneyInvalid(f"{unit!r} is not a unit: use one of {', '.join(UNITS)}.", param=unit)
        if not 0 <= nanos <= LARGEST:
            raise MoneyInvalid(f"The price of {unit} is out of range.", param=unit)
    with transaction.atomic():
        current = Price.objects.select_for_update().filter(product=product).order_by("-version").first()
        if current is not None and current.rates == dict(rates):
            return current
        return Price.objects.create(
            product=product, version=current.version + 1 if current else 1, rates={u: int(n) for u, n in rates.items()}
        )


def label(rates: Mapping[str, int]) -> str:
    """The price for people: "$0.10 / 1M input tokens · $0.0002 / request"; "Free" without a rate."""
    parts = [
        f"{show(rates[unit.name] * unit.per // PER)} / {unit.label}" for unit in UNITS.values() if rates.get(unit.name)
    ]
    return " · ".join(parts) or "Free"
