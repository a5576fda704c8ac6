"""Amounts in and out, and what units cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import money
from billing.errors import MoneyInvalid
from billing.prices import book, publishing
from billing.prices.models import Price
from billing.prices.quote import Scheme

AMOUNTS = st.integers(0, money.LARGEST)


@given(AMOUNTS)
def test_what_is_shown_reads_back_as_the_same_amount(nanos: int) -> None:
    assert money.parse(money.decimal(nanos)) == nanos


@pytest.mark.parametrize(
    ("nanos", "shown"),
    [
        (0, "$0.00"),
        (1, "$0.000000001"),
        (123_000, "$0.000123"),
        (1_500_000_000, "$1.50"),
        (12_345_000_000_000, "$12,345.00"),
    ],
)
def test_an_amount_is_never_shown_as_less_than_it_is(nanos: int, shown: str) -> None:
    assert money.show(nanos) == shown


@pytest.mark.parametrize(
    "text", ["", "abc", "-1", "1.0000000001", "nan", "inf", "1e30", "1,5", "10 €", "٣", "２５", "1_000"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(MoneyInvalid):
        money.parse(text)


@pytest.mark.parametrize(("nanos", "cents"), [(4_999_999, 0), (5_000_000, 1), (15_000_000, 2), (24_999_999, 2)])
def test_cents_are_rounded_half_up(nanos: int, cents: int) -> None:
    assert money.cents(nanos) == cents


@given(
    st.dictionaries(st.sampled_from(["request", "row", "input_token"]), st.integers(0, 10**9)), st.integers(0, 10**6)
)
def test_a_cost_is_rounded_once_by_at_most_half_a_nano(rates: dict[str, int], count: int) -> None:
    units = dict.fromkeys(rates, count)
    exact = sum(rate * count for rate in rates.values())
    assert abs(Scheme(rates).cost(units) * 1_000_000 - exact) <= 500_000


def test_the_cheapest_token_has_a_price_per_million() -> None:
    assert Scheme({"input_token": 50_000_000}).cost({"input_token": 1}) == 50  # $0.05 a million


def test_a_new_price_is_a_new_version_and_the_same_price_is_none(transactional_db: None) -> None:
    first = publishing.publish("thing", {"request": 100})
    assert publishing.publish("thing", {"request": 100}).pk == first.pk
    second = publishing.publish("thing", {"request": 200})
    assert (first.version, second.version) == (1, 2)
    with pytest.raises(TypeError):
        Price.objects.get(pk=first.pk).save()


def test_a_price_in_an_unknown_unit_is_refused(transactional_db: None) -> None:
    with pytest.raises(MoneyInvalid):
        publishing.publish("thing", {"hug": 1})
    assert not Price.objects.exists()


def test_a_price_reads_as_people_write_it() -> None:
    rates = {"input_token": book.rate("input_token", money.parse("0.05")), "request": book.rate("request", 200_000)}
    assert book.label(Scheme(rates)) == "$0.0002 / request · $0.05 / 1M input tokens"
