"""What a number of units costs: rates, tiers, the share of the list price that is charged, rounding, the minimum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from billing.prices.units import UNITS

PER = 1_000_000  # rates are nano-dollars per this many units: femto-dollars a unit
LIST_BP = 10_000  # the whole list price, in hundredths of a percent
GRADUATED, VOLUME = "graduated", "volume"
_SHARE = PER * LIST_BP


def nanos(femtos: int, factor_bp: int = LIST_BP) -> int:
    """The share of so many femto-dollars in nano-dollars, rounded half up."""
    return (femtos * factor_bp + _SHARE // 2) // _SHARE


def nanos_up(femtos: int, factor_bp: int = LIST_BP) -> int:
    """As `nanos`, rounded up: a bound."""
    return -(-femtos * factor_bp // _SHARE)


class Step(NamedTuple):
    """A tier: its rate holds for the units of a month up to and including the `up_to`th; None: for all the rest."""

    up_to: int | None
    rate: int


@dataclass(frozen=True, slots=True)
class Tiers:
    """Rates of one unit that depend on how many of it a workspace used of the product in the month.

    `graduated`: each unit at the rate of its own tier. `volume`: all units of the month at the rate of the tier that the
    month's count is in; such rates fall from tier to tier.
    """

    mode: str
    steps: tuple[Step, ...]

    def rate_of(self, count: int) -> int:
        """The rate of the `count`th unit of the month."""
        return next(rate for up_to, rate in self.steps if up_to is None or count <= up_to)

    def femtos(self, count: int) -> int:
        """What the first `count` units of a month cost at list price."""
        if self.mode == VOLUME:
            return count * self.rate_of(count)
        return sum(units * rate for units, rate in self.between(0, count))

    def between(self, before: int, after: int) -> list[tuple[int, int]]:
        """(units, rate) of each tier that the units from `before` (excluded) to `after` (included) are in."""
        parts, begin = [], 0
        for up_to, rate in self.steps:
            end = after if up_to is None else min(up_to, after)
            units = end - max(begin, before)
            if units > 0:
                parts.append((units, rate))
            begin = end
        return parts

    def most(self, before: int) -> int:
        """The highest rate of a unit that comes after the `before`th, however many others come first."""
        return max(rate for up_to, rate in self.steps if up_to is None or up_to > before)


@dataclass(frozen=True)
class Scheme:
    """How a price makes money of units. `rates`: unit → nano-dollars per million units, where the unit has no tiers."""

    rates: Mapping[str, int]
    tiers: Mapping[str, Tiers] = field(default_factory=dict)
    minimum_nanos: int = 0  # of each request that is billed at all

    def asks(self, unit: str) -> bool:
        """Whether the price names this unit."""
        return unit in self.rates or unit in self.tiers

    @cached_property
    def asks_measures(self) -> bool:
        """Whether the price names a unit that is measured for it alone."""
        return self.asks("millisecond") or self.asks("pixel")

    @cached_property
    def input_unit(self) -> str:
        """As what input tokens count before anybody knows how many of them are in a cache: the dearer. Blank: they are free."""
        units = ("input_token", "cached_input_token")
        return max(units, key=lambda unit: self.most_rate(unit, {})) if any(map(self.asks, units)) else ""

    @cached_property
    def has_volume(self) -> bool:
        """Whether all units of a month may become cheaper at once."""
        return any(tiers.mode == VOLUME for tiers in self.tiers.values())

    @cached_property
    def _flat(self) -> Mapping[str, int]:
        """Unit → rate, also of units that are billed as another one."""
        instead = {u.name: self.rates[u.instead] for u in UNITS.values() if u.instead in self.rates}
        return {**{name: rate for name, rate in instead.items() if name not in self.tiers}, **self.rates}

    @cached_property
    def _in_tiers(self) -> Mapping[str, tuple[str, ...]]:
        """Unit with tiers → units that count there."""
        return {
            name: (name, *(u.name for u in UNITS.values() if u.instead == name and not self.asks(u.name)))
            for name in self.tiers
        }

    def tiered(self, units: Mapping[str, int]) -> dict[str, int]:
        """Unit with tiers → how many of `units` count there."""
        return {name: sum(units.get(one, 0) for one in counted) for name, counted in self._in_tiers.items()}

    def flat(self, units: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Unit → (how many of `units`, at which rate), of those that are there and have no tiers."""
        return {name: (units[name], rate) for name, rate in self._flat.items() if units.get(name)}

    def _flat_femtos(self, units: Mapping[str, int]) -> int:
        total = 0
        for name, rate in self._flat.items():
            total += units.get(name, 0) * rate
        return total

    def femtos(self, units: Mapping[str, int]) -> int:
        """What these units cost at list price where they are all of the month, in femto-dollars (1e-15 $)."""
        tiered = self.tiered(units)
        return self._flat_femtos(units) + sum(self.tiers[name].femtos(count) for name, count in tiered.items())

    def cost(self, units: Mapping[str, int], factor_bp: int = LIST_BP) -> int:
        """Nano-dollars of a request at a price without tiers: Σ units × rate × factor, rounded half up once; then the minimum.

        Units without a rate are free, and so is a request without units.
        """
        if not units:
            return 0
        cost = (self._flat_femtos(units) * factor_bp + _SHARE // 2) // _SHARE
        return cost if cost >= self.minimum_nanos else self.minimum_nanos

    def most(self, units: Mapping[str, int], factor_bp: int, before: Mapping[str, int]) -> int:
        """The most that a request with at most these units can cost, in nano-dollars.

        `before`: units of the month so far. Others may come first, so each unit counts at the highest rate of its tier
        there and all later ones.
        """
        if not self.tiers:
            return self.cost(units, factor_bp)
        begun = self.tiered(before)
        femtos = self._flat_femtos(units)
        for name, count in self.tiered(units).items():
            femtos += count * self.tiers[name].most(begun[name])
        return max(nanos_up(femtos, factor_bp), self.minimum_nanos)

    def next_most(self, units: Mapping[str, int], factor_bp: int, before: Mapping[str, int]) -> int:
        """As `most`, if no other request comes first: what a free allowance covers is free."""
        if not self.tiers:
            return self.cost(units, factor_bp)
        begun = self.tiered(before)
        femtos = self._flat_femtos(units)
        for name, count in self.tiered(units).items():
            tiers = self.tiers[name]
            if tiers.mode == VOLUME:
                femtos += count * tiers.most(begun[name])
            else:
                femtos += sum(n * rate for n, rate in tiers.between(begun[name], begun[name] + count))
        return max(nanos_up(femtos, factor_bp), self.minimum_nanos)

    def most_rate(self, unit: str, before: Mapping[str, int]) -> int:
        """The highest rate that one more of this unit can have."""
        if unit in self.tiers:
            return self.tiers[unit].most(self.tiered(before)[unit])
        return self._flat.get(unit, 0)


FREE = Scheme({})


def tiers_from(stored: Mapping[str, Any]) -> dict[str, Tiers]:
    """Tiers of their JSON: unit → {"mode", "steps": [[up_to or null, rate], …]}."""
    return {
        unit: Tiers(given["mode"], tuple(Step(up_to, rate) for up_to, rate in given["steps"]))
        for unit, given in stored.items()
    }


def tiers_to(tiers: Mapping[str, Tiers]) -> dict[str, Any]:
    """Their JSON."""
    return {unit: {"mode": one.mode, "steps": [list(step) for step in one.steps]} for unit, one in tiers.items()}
