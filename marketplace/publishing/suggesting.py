"""What a request to a model should cost at least, from the seconds that it computes, and what is to be said of its price.

A request pays for its seconds of compute, at the price that training pays for them, MARGIN times over: for the memory that
waits for requests, for tries that earn nothing, and for the publisher.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from billing import money
from billing.errors import MoneyInvalid
from billing.prices import book
from billing.prices.quote import FREE, LIST_BP, Scheme
from billing.prices.scrutiny import FEWEST_PEERS, UNUSUAL
from billing.prices.units import UNITS
from marketplace.catalog.listings import typical_nanos
from marketplace.catalog.models import Listing, Model, Visibility
from marketplace.publishing.evidence import Found
from marketplace.publishing.imports import scheme_of
from marketplace.publishing.models import Status, Submission
from marketplace.training import charges

MARGIN = 3
_FIRST = ("output_token", "image", "row", "request")  # what is billed, where a request has several units


def of_compute(seconds: float) -> int:
    """Nano-dollars that so many seconds of compute cost."""
    price = book.current(charges.PRODUCT)
    return price.scheme.cost({"millisecond": 1_000_000}) * round(seconds * 1_000_000) // 10**9 if price else 0


def lines(seconds: float, units: Mapping[str, int]) -> str:
    """UNIT=USD, of the unit that such a request bills, rounded up to two digits. Empty where compute costs nothing."""
    unit = next((name for name in _FIRST if units.get(name)), "request")
    nanos = -(-of_compute(seconds) * MARGIN * UNITS[unit].per // units.get(unit, 1))
    if nanos <= 0:
        return ""
    least = 10 ** max(len(str(nanos)) - 2, 0)
    return f"{unit}={money.decimal(-(-nanos // least) * least)}"


def found(submission: Submission, seconds: float, units: Mapping[str, int]) -> Found:
    """What is to be said of the price that it asks for, or has already."""
    suggested = scheme_of(lines(seconds, units)) or FREE
    asked = _asked(submission)
    values: dict[str, Any] = {
        "seconds": f"{seconds:.3g}",
        "units": dict(units),
        "suggested": book.label(suggested),
        "price": book.label(asked),
    }
    others = _others(submission)
    usual = statistics.median(others) if len(others) >= FEWEST_PEERS else None
    if usual:
        values["peers"] = money.show(round(usual))
    typical = typical_nanos(asked)
    if not suggested.rates:  # nothing says what computing costs
        return Found("price", Status.PASSED, "alone", values, book.label(asked)[:60])
    if not typical:
        return Found("price", Status.WARNED if of_compute(seconds) else Status.PASSED, "free", values)
    figure = money.show(typical) if typical < money.NANOS else f"${typical / money.NANOS:.2f}"
    billed = {"request": 1, **units, "millisecond": round(seconds * 1000)}
    if asked.most(billed, LIST_BP, {}) < of_compute(seconds):
        return Found("price", Status.WARNED, "below", values, figure)
    if usual and not usual / UNUSUAL <= typical <= usual * UNUSUAL:
        return Found("price", Status.WARNED, "unusual", values, figure)
    return Found("price", Status.PASSED, "fair", values, figure)


def _asked(submission: Submission) -> Scheme:
    try:
        asked = scheme_of(submission.price)
    except MoneyInvalid:
        asked = None  # its form refuses that; what came past it is asked for again when it is published
    if asked is None:
        model = Model.objects.filter(publisher=submission.workspace, name=submission.name).first()
        price = book.current(model.pk) if model else None
        asked = price.scheme if price else FREE
    return asked


def _others(submission: Submission) -> list[int]:
    priced = Listing.objects.filter(
        model__task=submission.task, model__visibility=Visibility.PUBLIC, price_nanos__gt=0
    ).exclude(model__publisher=submission.workspace, model__name=submission.name)
    return list(priced.values_list("price_nanos", flat=True)[:1000])
