"""What is asked before a price is published: is it a price at all, does it rise, and may it be a typing error?"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

from django.utils.translation import gettext as _

from billing.errors import MoneyInvalid, PriceUnusual
from billing.money import NANOS, show
from billing.prices import book
from billing.prices.quote import GRADUATED, PER, VOLUME, Scheme
from billing.prices.units import UNITS

MOST_A_UNIT_NANOS = 1_000 * NANOS
MOST_STEPS = 20
UNUSUAL = 100  # times more or less than before, or than others
FEWEST_PEERS = 3  # of fewer a median says nothing


def check(scheme: Scheme) -> None:
    """Raises MoneyInvalid for what is no price: an unknown unit, a negative, fractional or absurd amount, odd tiers."""
    for unit, nanos in scheme.rates.items():
        _check_rate(unit, nanos)
        if unit in scheme.tiers:
            raise MoneyInvalid(f"{unit} has a rate and tiers: give one of them.", param=unit)
    _check_amount("minimum", scheme.minimum_nanos, MOST_A_UNIT_NANOS)
    for unit, tiers in scheme.tiers.items():
        if tiers.mode not in (GRADUATED, VOLUME):
            raise MoneyInvalid(f"Tiers are {GRADUATED} or {VOLUME}, not {tiers.mode!r}.", param=unit)
        if not 1 <= len(tiers.steps) <= MOST_STEPS:
            raise MoneyInvalid(f"{unit} has {len(tiers.steps)} tiers: give 1 to {MOST_STEPS}.", param=unit)
        begin = 0
        for up_to, rate in tiers.steps[:-1]:
            _check_rate(unit, rate)
            if type(up_to) is not int or up_to <= begin:
                raise MoneyInvalid(
                    _("The tiers of %(unit)s must end one after another, in whole units.") % {"unit": unit}, param=unit
                )
            begin = up_to
        _check_rate(unit, tiers.steps[-1].rate)
        if tiers.steps[-1].up_to is not None:
            raise MoneyInvalid(f"The last tier of {unit} has no end.", param=unit)
        rates = [rate for _, rate in tiers.steps]
        if tiers.mode == VOLUME and rates != sorted(rates, reverse=True):
            # Else the unit that enters a dearer tier would cost as much as all those before it.
            raise MoneyInvalid(
                _("Volume rates of %(unit)s must fall from tier to tier; for a free allowance use graduated tiers.")
                % {"unit": unit},
                param=unit,
            )


def _check_rate(unit: str, nanos: object) -> None:
    if unit not in UNITS:
        raise MoneyInvalid(f"{unit!r} is not a unit: use one of {', '.join(UNITS)}.", param=unit)
    _check_amount(unit, nanos, MOST_A_UNIT_NANOS * PER)


def _check_amount(what: str, nanos: object, most: int) -> None:
    if type(nanos) is not int:
        raise MoneyInvalid(f"The price of {what} must be a whole number of nano-dollars.", param=what)
    if not 0 <= nanos <= most:
        raise MoneyInvalid(
            _("The price of %(what)s is out of range: %(least)s to %(most)s for one.")
            % {"what": what, "least": show(0), "most": show(MOST_A_UNIT_NANOS)},
            param=what,
        )


def rises(old: Scheme, new: Scheme) -> bool:
    """Whether some request could cost more than before."""
    if new.minimum_nanos > old.minimum_nanos:
        return True
    return any(_unit_rises(old, new, unit) for unit in UNITS)


def _unit_rises(old: Scheme, new: Scheme, unit: str) -> bool:
    ends = {0, *(end for scheme in (old, new) for end in _ends(scheme, unit))}
    return any(_rate_at(new, unit, end + 1) > _rate_at(old, unit, end + 1) for end in ends)


def _ends(scheme: Scheme, unit: str) -> list[int]:
    tiers = scheme.tiers.get(_as(scheme, unit))
    return [up_to for up_to, _ in tiers.steps if up_to is not None] if tiers else []


def _rate_at(scheme: Scheme, unit: str, count: int) -> int:
    name = _as(scheme, unit)
    return scheme.tiers[name].rate_of(count) if name in scheme.tiers else scheme.rates.get(name, 0)


def _as(scheme: Scheme, unit: str) -> str:
    """As what the unit is billed."""
    return unit if scheme.asks(unit) or not UNITS[unit].instead else UNITS[unit].instead


def unusual(new: Scheme, old: Scheme | None, peers: Iterable[str]) -> None:
    """Raises PriceUnusual where an amount is 100 times more or less than before, or than the median of the `peers`' prices.

    `peers`: products of the same kind. From free to priced nothing can be compared but the peers.
    """
    if old is not None:
        _compare("minimum", new.minimum_nanos, old.minimum_nanos)
        for unit in filter(new.asks, UNITS):
            for end in sorted({0, *_ends(new, unit), *_ends(old, unit)}):
                rate = _rate_at(new, unit, end + 1)
                if rate or unit in new.rates:  # a free allowance is meant
                    _compare(unit, rate, _rate_at(old, unit, end + 1))
    for unit, usual in _medians(peers).items():
        for rate in book.rates_of(new, unit):
            if rate:  # what is given away is meant to be
                _compare(unit, rate, usual, of_kind=True)


def _compare(what: str, new: int, usual: int, *, of_kind: bool = False) -> None:
    if usual and (new >= usual * UNUSUAL or new * UNUSUAL <= usual):
        per = UNITS[what].per if what in UNITS else PER
        amounts = [show(nanos * per // PER) for nanos in (new, usual)]
        than = (
            _("The price of %(what)s would be %(price)s; the median of its kind is %(usual)s.")
            if of_kind
            else _("The price of %(what)s would be %(price)s; before it was %(usual)s.")
        ) % {"what": what, "price": amounts[0], "usual": amounts[1]}
        check_it = _("Check the unit; if it is meant, confirm it.")
        raise PriceUnusual(
            f"{than} {check_it}",
            param=what,
            details={"price": amounts[0], "usual": amounts[1]},
        )


def _medians(peers: Iterable[str]) -> Mapping[str, int]:
    found: dict[str, list[int]] = {}
    for price in book.currents(peers).values():
        for unit in UNITS:
            rates = [rate for rate in book.rates_of(price.scheme, unit) if rate]
            if rates:
                found.setdefault(unit, []).append(max(rates))
    return {unit: statistics.median_low(rates) for unit, rates in found.items() if len(rates) >= FEWEST_PEERS}
