"""What some usage would have cost at another price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from billing.prices import quote
from billing.prices.book import rates_of
from billing.prices.quote import Scheme
from billing.prices.units import UNITS


@dataclass(frozen=True, slots=True)
class Rerated:
    """Nano-dollars, and the units that the price bills but that were not measured: with them it may be more."""

    nanos: int
    unmeasured: tuple[str, ...]


def rerate(units: Mapping[str, int], requests: int, scheme: Scheme, factor_bp: int) -> Rerated:
    """Sums of `units` over so many requests, at a price: Σ units × rate × factor, tiers from the first unit on.

    Sums cannot know how single requests are rounded (half a nano-dollar each at most) nor which of them a minimum
    lifts: here it lifts their mean.
    """
    # A unit that may be billed as another one is a part of it where it was not told apart.
    billed = [name for name, unit in UNITS.items() if not unit.instead and any(rates_of(scheme, name))]
    unmeasured = tuple(unit for unit in billed if unit not in units)
    return Rerated(max(quote.nanos(scheme.femtos(units), factor_bp), scheme.minimum_nanos * requests), unmeasured)
