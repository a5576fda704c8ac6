"""Money: whole nano-US-dollars (1e-9 $) everywhere inside; words and Stripe's units at the edges."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, Overflow, localcontext

from billing.errors import MoneyInvalid

NANOS = 1_000_000_000  # in a dollar
NANOS_IN_MICRO = 1_000
NANOS_IN_CENT = 10_000_000
MOST_DIGITS = 60  # that are read of an amount
LARGEST = 9 * 10**18  # what a BigIntegerField holds, rounded down


def parse(text: str | Decimal | int) -> int:
    """Nano-dollars of an amount in dollars such as "0.0001".

    Raises MoneyInvalid for anything else, for negative amounts, and for fractions of a nano-dollar.
    """
    written = str(text).strip()
    if not written.isascii() or "_" in written:  # digits of other scripts, which Decimal would take
        raise MoneyInvalid(f"{text!r} is not an amount in dollars: write it like 0.25.")
    try:
        with localcontext(Context(prec=MOST_DIGITS, traps=[InvalidOperation, Overflow, Inexact])):
            nanos = Decimal(written) * NANOS
    except Inexact as error:  # Overflow is one
        raise MoneyInvalid(f"{text} has more digits than an amount in dollars can have.") from error
    except InvalidOperation as error:
        raise MoneyInvalid(f"{text!r} is not an amount in dollars: write it like 0.25.") from error
    if not nanos.is_finite() or nanos < 0 or nanos > LARGEST:
        raise MoneyInvalid(f"{text} is not between 0 and {LARGEST // NANOS} dollars.")
    if nanos != nanos.to_integral_value():
        raise MoneyInvalid(f"{text} has more than nine decimals: the smallest amount is 0.000000001.")
    return int(nanos)


def decimal(nanos: int) -> str:
    """Dollars as text, exact, with at least two decimals: 123000 → "0.000123"."""
    sign, rest = ("-", -nanos) if nanos < 0 else ("", nanos)
    whole, fraction = divmod(rest, NANOS)
    return f"{sign}{whole}.{f'{fraction:09d}'.rstrip('0').ljust(2, '0')}"


def show(nanos: int) -> str:
    """Dollars for people: "$0.000123", never rounded to zero."""
    text = decimal(abs(nanos))
    whole, _, fraction = text.partition(".")
    return f"{'−' if nanos < 0 else ''}${int(whole):,}.{fraction}"


def about(nanos: int) -> str:
    """Dollars for people where an estimate is meant: to the cent, or in two digits where that would be nothing."""
    if abs(nanos) >= NANOS_IN_CENT or not nanos:
        return show(cents(nanos) * NANOS_IN_CENT)
    least = 10 ** max(len(str(abs(nanos))) - 2, 0)
    return show(nanos // least * least)


def cents(nanos: int) -> int:
    """Whole cents, rounded half up (away from zero)."""
    return int((Decimal(nanos) / NANOS_IN_CENT).quantize(Decimal(1), ROUND_HALF_UP))
