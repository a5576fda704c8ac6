"""Prices as operators write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import MoneyInvalid
from billing.prices import notation
from billing.prices.quote import GRADUATED, VOLUME, Scheme, Step, Tiers
from billing.prices.units import UNITS

CENT = 10_000_000
RATES = st.integers(0, 10**12)


@st.composite
def tiers(draw: st.DrawFn, unit: str) -> Tiers:
    mode = draw(st.sampled_from([GRADUATED, VOLUME]))
    ends = sorted(draw(st.sets(st.integers(1, 10**9), min_size=1, max_size=4)))
    whole = 1_000_000 // UNITS[unit].per  # what is shown by `per` units is exact to the nano-dollar
    rates = [draw(RATES) * whole for _ in (*ends, None)]
    return Tiers(mode, tuple(Step(end, rate) for end, rate in zip([*ends, None], rates, strict=True)))


@given(st.data(), st.sampled_from(sorted(UNITS)))
def test_what_is_written_reads_back_as_the_same_price(data: st.DataObject, unit: str) -> None:
    whole = 1_000_000 // UNITS[unit].per
    rate, stepped = data.draw(RATES) * whole, data.draw(tiers(unit))
    assert notation.read(notation.write(Scheme({unit: rate}), unit), unit) == rate
    assert notation.read(notation.write(Scheme({}, {unit: stepped}), unit), unit) == stepped
    assert notation.read(notation.write(Scheme({}), unit), unit) is None


def test_tiers_are_read_as_people_write_them() -> None:
    assert notation.read(" 0.25 ", "input_token") == 25 * CENT
    assert notation.read("1,000: 0;  0.25", "row") == Tiers(GRADUATED, (Step(1000, 0), Step(None, 25 * CENT * 10**6)))
    assert notation.read("Volume 10: 0.30; 0.20;", "image") == Tiers(
        VOLUME, (Step(10, 30 * CENT * 10**6), Step(None, 20 * CENT * 10**6))
    )


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "-1",
        "0.0000000001",
        "1e99",
        "1000: 0",
        "0.2; 0.3",
        "ten: 0; 1",
        "-5: 0; 1",
        "0: 0; 1",
        "volume",
        "5: ; 1",
        "٣: 0; 1",
        "1: 2: 3; 4",
    ],
)
def test_what_is_no_price_is_refused_with_its_unit(text: str) -> None:
    with pytest.raises(MoneyInvalid) as caught:
        notation.read(text, "row")
    assert caught.value.param == "row"


def test_a_whole_price_is_units_with_their_amounts_and_a_minimum() -> None:
    assert notation.scheme([("input_token", "1,000,000: 0; 2.50"), ("request", "0.001")], "0.0005") == Scheme(
        {"request": 10**12},
        {"input_token": Tiers(GRADUATED, (Step(1_000_000, 0), Step(None, 250 * CENT)))},
        500_000,
    )


@pytest.mark.parametrize(
    ("written", "minimum", "told"),
    [
        ([("tokens", "1")], "", "not a unit"),
        ([("row", "1"), ("row", "2")], "", "two prices"),
        ([("row", "  ")], "", "no amount"),
        ([("row", "10: 1")], "", "last as its price"),
        ([("row", "-1")], "", "like 0.25"),
        ([("row", "1")], "some", "not an amount"),
    ],
)
def test_a_whole_price_that_is_none_is_refused(written: list[tuple[str, str]], minimum: str, told: str) -> None:
    with pytest.raises(MoneyInvalid, match=told):
        notation.scheme(written, minimum)
