"""Prices as operators write them: an amount, or tiers, one unit after another.

0.25                                    $0.25 for so many units as the unit is shown by
1000: 0; 100000: 0.25; 0.20             the first 1,000 of a month free, until the 100,000th at $0.25, the rest at $0.20
volume 1000: 0.30; 0.20                 all units of the month at $0.30, from the 1,001st on all at $0.20
"""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _

from billing import money
from billing.errors import MoneyInvalid
from billing.prices import book
from billing.prices.quote import GRADUATED, PER, VOLUME, Scheme, Step, Tiers
from billing.prices.units import UNITS


def amount(value: str | int, param: str = "") -> int:
    """Nano-dollars of dollars that a person wrote. Raises MoneyInvalid, in the reader's language, naming the field."""
    try:
        return money.parse(value)
    except MoneyInvalid as error:
        refusal = _("Write an amount in dollars like 0.25, with nine decimals at most.")
        raise MoneyInvalid(refusal, param=param) from error


def read(text: str, unit: str) -> int | Tiers | None:
    """The unit's rate in nano-dollars per million units, or its tiers; None for an empty text. Raises MoneyInvalid."""
    text = " ".join(text.split())
    if not text:
        return None
    mode = GRADUATED
    if text.lower().startswith(VOLUME):
        mode, text = VOLUME, text[len(VOLUME) :].strip()
    parts = [part.strip() for part in text.split(";") if part.strip()]
    if mode == GRADUATED and len(parts) == 1 and ":" not in parts[0]:
        return _rate(parts[0], unit)
    steps = []
    for at, part in enumerate(parts):
        end, colon, price = part.partition(":")
        last = at == len(parts) - 1
        if bool(colon) == last:
            raise MoneyInvalid(
                _("Write each tier but the last as “up to: price”, the last as its price alone: 1000: 0; 0.25"),
                param=unit,
            )
        steps.append(Step(None, _rate(part, unit)) if last else Step(_count(end, unit), _rate(price, unit)))
    if not steps:
        raise MoneyInvalid(_("Write the tiers after “volume”: volume 1000: 0.30; 0.20"), param=unit)
    return Tiers(mode, tuple(steps))


def pair(text: str) -> tuple[str, str]:
    """The unit and what is written of it, of a text like output_token=0.25. Raises MoneyInvalid."""
    unit, equals, written = text.partition("=")
    if not equals:
        raise MoneyInvalid(
            _("“%(text)s”: write it like output_token=0.25.") % {"text": text.strip()[:80]}, param="price"
        )
    return unit.strip(), written


def scheme(written: Iterable[tuple[str, str]], minimum: str = "") -> Scheme:
    """The price of what is written of each unit, and of the least that a request costs.

    Raises MoneyInvalid: for a unit that is none or comes twice, and for what `read` refuses.
    """
    rates: dict[str, int] = {}
    tiers: dict[str, Tiers] = {}
    for unit, text in written:
        if unit not in UNITS:
            raise MoneyInvalid(f"{unit[:40]!r} is not a unit: use one of {', '.join(UNITS)}.", param=unit)
        if unit in rates or unit in tiers:
            raise MoneyInvalid(f"{unit} has two prices: give one of them.", param=unit)
        rate = read(text, unit)
        if rate is None:
            raise MoneyInvalid(f"{unit} has no amount: write it like 0.25, or 1000: 0; 0.25 in tiers.", param=unit)
        if isinstance(rate, Tiers):
            tiers[unit] = rate
        else:
            rates[unit] = rate
    return Scheme(rates, tiers, money.parse(minimum) if minimum else 0)


def write(scheme: Scheme, unit: str) -> str:
    """What `read` reads back; empty where the price does not name the unit."""
    if unit in scheme.rates:
        return _amount(scheme.rates[unit], unit)
    if unit not in scheme.tiers:
        return ""
    tiers = scheme.tiers[unit]
    parts = [_amount(rate, unit) if up_to is None else f"{up_to}: {_amount(rate, unit)}" for up_to, rate in tiers.steps]
    return ("volume " if tiers.mode == VOLUME else "") + "; ".join(parts)


def _rate(text: str, unit: str) -> int:
    return book.rate(unit, amount(text, unit))


def _amount(rate: int, unit: str) -> str:
    return money.decimal(rate * UNITS[unit].per // PER)


def _count(text: str, unit: str) -> int:
    digits = text.strip().replace(",", "").replace("_", "")
    if not digits.isascii() or not digits.isdecimal() or not 0 < int(digits) < 10**15:
        raise MoneyInvalid(_("“%(text)s” is not a number of units.") % {"text": text.strip()[:40]}, param=unit)
    return int(digits)
