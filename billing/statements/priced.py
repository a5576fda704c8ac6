"""How one request's units, its price and rounding made its cost, in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from billing import money
from billing.metering.models import UsageEvent
from billing.prices.models import Price
from billing.prices.quote import LIST_BP, PER
from billing.prices.units import UNITS

_FEMTOS = Decimal(10) ** 15  # in a dollar


@dataclass(frozen=True, slots=True)
class Priced:
    """The steps, and the cost that they lead to; None where tiers or another request decided."""

    steps: list[tuple[str, str]]  # a sentence, and dollars
    nanos: int | None


def priced(event: UsageEvent, price: Price | None) -> Priced:
    """The steps from units to the cost of an event."""
    if price is None or not event.units:
        return Priced([], None)
    steps, total = [], 0
    for name, (count, rate) in price.scheme.flat(event.units).items():
        unit = UNITS[name]
        each = money.show(rate * unit.per // PER)
        total += count * rate
        steps.append((f"{count} {name.replace('_', ' ')} × {each} / {unit.label}", _dollars(count * rate)))
    if price.scheme.tiers:
        return Priced(steps, None)
    if event.factor_bp != LIST_BP:
        share = f"{Decimal(event.factor_bp) / 100:f} %"
        steps.append(
            (_("%(share)s of the list price") % {"share": share}, _dollars(total * event.factor_bp // LIST_BP))
        )
    nanos = price.scheme.cost(event.units, event.factor_bp)
    steps.append((_("rounded half up to a billionth of a dollar, once"), money.show(nanos)))
    return Priced(steps, nanos)


def _dollars(femtos: int) -> str:
    return f"${Decimal(femtos) / _FEMTOS:f}"
