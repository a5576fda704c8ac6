"""Explains what a request cost, step by step, by computing it again from its usage event alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Protocol

from django.utils.translation import gettext as _

from billing.money import show
from billing.prices import book
from billing.prices.models import Price
from billing.prices.month import BILLED
from billing.prices.quote import FREE, LIST_BP, PER, VOLUME, Scheme, nanos
from billing.prices.units import UNITS

FEMTOS_IN_DOLLAR = 10**15


class Priced(Protocol):
    """What of a usage event its cost follows from."""

    @property
    def units(self) -> Mapping[str, int]: ...
    @property
    def price_id(self) -> str: ...
    @property
    def factor_bp(self) -> int: ...
    @property
    def tier_from(self) -> Mapping[str, int | str] | None: ...
    @property
    def cost_nanos(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Line:
    """Units at a rate, at list price. `billed_as`: the unit of the price; `first`: which of the month the first one is, in tiers."""

    unit: str
    billed_as: str
    count: int
    rate: int  # nano-dollars per million units
    first: int | None = None
    mode: str = ""

    @property
    def femtos(self) -> int:
        """In femto-dollars (1e-15 $), exact."""
        return self.count * self.rate


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way to the cost, and what the request would cost after it."""

    kind: str  # units, month, share, rounding, minimum, limit
    sentence: str
    nanos: int | None  # None: not whole yet


@dataclass(frozen=True, slots=True)
class Explanation:
    """How units became a cost. `agrees`: computing it again gives what the event says."""

    price_id: str
    version: int | None
    lines: tuple[Line, ...]
    steps: tuple[Step, ...]
    cost_nanos: int
    agrees: bool
    due_nanos: int  # what its units come to


def explain(event: Priced) -> Explanation:
    """The way from the event's units to its cost. A price that is not there any more explains nothing: then `agrees` is False."""
    price = _price(event.price_id)
    scheme = price.scheme if price else FREE
    before = {unit: int(count) for unit, count in (event.tier_from or {}).items() if unit != BILLED}
    lines = _lines(scheme, event.units, before)
    steps = [Step("units", _sentence(line), None) for line in lines]
    if event.tier_from is None:
        femtos, billed = sum(line.femtos for line in lines), 0
        cost = nanos(femtos, event.factor_bp)
    else:
        after = {unit: before.get(unit, 0) + event.units.get(unit, 0) for unit in {**before, **event.units}}
        billed = int(event.tier_from.get(BILLED, scheme.femtos(before)))
        femtos = max(scheme.femtos(after) - billed, 0)
        cost = nanos(billed + femtos, event.factor_bp) - nanos(billed, event.factor_bp)
        if scheme.has_volume:
            said = {"total": _exact(scheme.femtos(after)), "billed": _exact(billed), "left": _exact(femtos)}
            steps.append(
                Step(
                    "month",
                    _("The month's units cost %(total)s now, and %(billed)s of it was billed: %(left)s is left.")
                    % said,
                    None,
                )
            )
    if event.factor_bp != LIST_BP:
        said = {"percent": f"{event.factor_bp / 100:g}", "amount": _exact(femtos * event.factor_bp, LIST_BP)}
        steps.append(
            Step("share", _("%(percent)s %% of the list price is charged: %(amount)s.") % said, None),
        )
    how = _("Rounded half up to a nano-dollar: %(cost)s.")
    if event.tier_from is not None:
        how = _("Rounded half up to a nano-dollar on the month's running total: %(cost)s.")
    steps.append(Step("rounding", how % {"cost": show(cost)}, cost))
    if event.units and cost < scheme.minimum_nanos:
        cost = scheme.minimum_nanos
        steps.append(Step("minimum", _("A request costs at least %(cost)s.") % {"cost": show(cost)}, cost))
    agrees = cost == event.cost_nanos
    if event.cost_nanos < cost:
        said = {"held": show(event.cost_nanos), "more": show(cost - event.cost_nanos)}
        steps.append(
            Step(
                "limit", _("No more than the %(held)s that was set aside: %(more)s is waived.") % said, event.cost_nanos
            )
        )
        agrees = True  # never to the customer's harm
    return Explanation(
        event.price_id, price.version if price else None, lines, tuple(steps), event.cost_nanos, agrees, cost
    )


def _price(price_id: str) -> Price | None:
    try:
        return book.price(price_id) if price_id else None
    except Price.DoesNotExist:
        return None


def _lines(scheme: Scheme, units: Mapping[str, int], before: Mapping[str, int]) -> tuple[Line, ...]:
    lines = []
    for unit, (count, rate) in scheme.flat(units).items():
        lines.append(Line(unit, unit if unit in scheme.rates else UNITS[unit].instead, count, rate))
    begun = scheme.tiered(before)
    for unit, count in scheme.tiered(units).items():
        tiers, start = scheme.tiers[unit], begun[unit]
        if not count:
            continue
        if tiers.mode == VOLUME:
            lines.append(Line(unit, unit, count, tiers.rate_of(start + count), start + 1, tiers.mode))
            continue
        for part, rate in tiers.between(start, start + count):
            lines.append(Line(unit, unit, part, rate, start + 1, tiers.mode))
            start += part
    return tuple(lines)


def _sentence(line: Line) -> str:
    per = UNITS[line.billed_as].per
    said = {
        "count": f"{line.count:,}",
        "unit": UNITS[line.unit].word(),
        "rate": show(line.rate * per // PER),
        "per": UNITS[line.billed_as].label,
        "amount": _exact(line.femtos),
        "first": f"{line.first or 0:,}",
        "last": f"{(line.first or 0) + line.count - 1:,}",
    }
    if line.first is None:
        return _("%(count)s × %(unit)s at %(rate)s / %(per)s: %(amount)s.") % said
    return _("%(count)s × %(unit)s (%(first)s to %(last)s of the month) at %(rate)s / %(per)s: %(amount)s.") % said


def _exact(femtos: int, share: int = 1) -> str:
    """An amount with all decimals that it has, of so many parts of a femto-dollar."""
    with localcontext(prec=80):
        dollars = f"{Decimal(femtos) / (FEMTOS_IN_DOLLAR * share):f}"
    whole, _point, fraction = dollars.partition(".")
    return f"${int(whole):,}.{fraction.rstrip('0').ljust(2, '0')}"
