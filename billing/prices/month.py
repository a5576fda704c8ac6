"""Where a workspace is in the tiers of a product this month, and what one more request costs there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from billing.prices.quote import Scheme, nanos
from billing.prices.units import UNITS

# In an event's `tier_from`: what volume prices had billed before it. A text, since few programs read more than 64 bits.
BILLED = "billed_femtos"


class Charge(NamedTuple):
    """What a request costs, and from where in the month it was counted."""

    cost_nanos: int
    tier_from: dict[str, int | str]


@dataclass(frozen=True, slots=True)
class Month:
    """A workspace's and product's month so far. Amounts in femto-dollars are of the list price, at the price `price_id`.

    A request costs the running total after it less the running total before it, each rounded: so the sum of a month is
    the rounded price of the sum, whatever the order. Where all units become cheaper at once (volume tiers) the total may
    fall: then `peak`, the most that it was, has been billed, and the rest goes back when the month is over.
    A price that takes over in the middle begins where the units are, and bills nothing that came before it.
    """

    units: Mapping[str, int] = field(default_factory=dict)
    price_id: str = ""
    base: int = 0  # the total where this price took over
    total: int = 0
    peak: int = 0
    billed_nanos: int = 0  # at this price, without what minimums added
    over_nanos: int = 0  # billed above the total at the prices before

    def charge(
        self, price_id: str, scheme: Scheme, units: Mapping[str, int], factor_bp: int, most_nanos: int
    ) -> tuple[Month, Charge]:
        """The month after a request with these units, and what the request costs: never more than `most_nanos`."""
        month = self if price_id == self.price_id else self._taken_over(price_id, scheme)
        tier_from: dict[str, int | str] = {name: count for name, count in month.units.items() if name in UNITS}
        if scheme.has_volume:
            tier_from[BILLED] = str(month.peak)
        after = {**month.units}
        for name, count in units.items():
            if name in UNITS:
                after[name] = after.get(name, 0) + count
        total = scheme.femtos(after)
        peak = max(month.peak, total)
        cost = nanos(peak, factor_bp) - nanos(month.peak, factor_bp)
        least = scheme.minimum_nanos if units else 0
        month = replace(month, units=after, total=total, peak=peak, billed_nanos=month.billed_nanos + cost)
        return month, Charge(min(max(cost, least), most_nanos), tier_from)

    def _taken_over(self, price_id: str, scheme: Scheme) -> Month:
        begin = scheme.femtos(self.units)
        return Month(self.units, price_id, begin, begin, begin, 0, self.excess_nanos())

    def excess_nanos(self) -> int:
        """What was billed above the month's total: of what was billed, the share by which the peak is above the total."""
        high, low = self.peak - self.base, self.peak - max(self.total, self.base)
        return self.over_nanos + ((2 * self.billed_nanos * low + high) // (2 * high) if low else 0)

    def to_json(self) -> dict[str, Any]:
        """For the row that keeps it."""
        return {name: getattr(self, name) for name in self.__slots__}


def month_from(stored: Mapping[str, Any]) -> Month:
    """The month of its JSON."""
    return Month(**stored)
