"""Tiers are priced at the exact place in the month: what the requests cost is what their sum costs."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.prices.month import Month, month_from
from billing.prices.quote import GRADUATED, VOLUME, Scheme, Step, Tiers, nanos
from tests.billing.prices.schemes import FACTORS, USED, schemes

PLENTY = 10**18
USES = st.lists(USED, min_size=1, max_size=12)


def sums(uses: list[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for units in uses:
        for unit, count in units.items():
            total[unit] = total.get(unit, 0) + count
    return total


def spend(scheme: Scheme, uses: list[dict[str, int]], factor_bp: int, price_id: str = "a") -> tuple[Month, list[int]]:
    month, costs = Month(), []
    for units in uses:
        month, charge = month.charge(price_id, scheme, units, factor_bp, PLENTY)
        costs.append(charge.cost_nanos)
    return month, costs


@given(schemes(modes=(GRADUATED,)), USES, FACTORS, st.randoms(use_true_random=False))
def test_a_graduated_month_costs_what_its_sum_costs_in_any_order(
    scheme: Scheme, uses: list[dict[str, int]], factor_bp: int, dice: random.Random
) -> None:
    month, costs = spend(scheme, uses, factor_bp)
    assert sum(costs) == nanos(scheme.femtos(sums(uses)), factor_bp)
    assert month.excess_nanos() == 0
    dice.shuffle(uses)
    assert sum(spend(scheme, uses, factor_bp)[1]) == sum(costs)


@given(schemes(), USES, FACTORS)
def test_a_volume_month_costs_what_its_sum_costs_once_the_excess_went_back(
    scheme: Scheme, uses: list[dict[str, int]], factor_bp: int
) -> None:
    month, costs = spend(scheme, uses, factor_bp)
    assert min(costs) >= 0
    assert abs(sum(costs) - month.excess_nanos() - nanos(scheme.femtos(sums(uses)), factor_bp)) <= 1


@given(schemes(), USES, FACTORS, USED)
def test_nothing_costs_more_than_what_is_held_for_it_whoever_comes_first(
    scheme: Scheme, others: list[dict[str, int]], factor_bp: int, units: dict[str, int]
) -> None:
    most = scheme.most(units, factor_bp, {})
    month, _ = spend(scheme, others, factor_bp)
    assert month.charge("a", scheme, units, factor_bp, PLENTY)[1].cost_nanos <= most
    seen, _ = spend(scheme, others[:1], factor_bp)
    assert month.charge("a", scheme, units, factor_bp, PLENTY)[1].cost_nanos <= scheme.most(
        units, factor_bp, seen.units
    )


@given(schemes(), USES, FACTORS, USED)
def test_what_comes_next_costs_no_more_than_is_said(
    scheme: Scheme, before: list[dict[str, int]], factor_bp: int, units: dict[str, int]
) -> None:
    month, _ = spend(scheme, before, factor_bp)
    said = scheme.next_most(units, factor_bp, month.units)
    assert (
        month.charge("a", scheme, units, factor_bp, PLENTY)[1].cost_nanos <= said <= scheme.most(units, factor_bp, {})
    )


@given(schemes(), schemes(), USES, USES)
def test_a_price_that_takes_over_bills_nothing_that_came_before_it(
    old: Scheme, new: Scheme, first: list[dict[str, int]], then: list[dict[str, int]]
) -> None:
    month, _ = spend(old, first, 10_000)
    owed = month.excess_nanos()
    costs = []
    for units in then:
        month, charge = month.charge("b", new, units, 10_000, PLENTY)
        costs.append(charge.cost_nanos)
    begun, ended = new.femtos(sums(first)), new.femtos(sums(first + then))
    assert month.excess_nanos() >= owed
    if not new.has_volume:
        assert sum(costs) == nanos(ended) - nanos(begun)


@given(schemes(), USES)
def test_a_month_is_read_back_as_it_was_kept(scheme: Scheme, uses: list[dict[str, int]]) -> None:
    month, _ = spend(scheme, uses, 10_000)
    assert month_from(month.to_json()) == month


DOLLAR = 10**9 * 10**6  # a dollar for one unit, as a rate


@pytest.mark.parametrize(
    ("mode", "costs"),
    [
        (GRADUATED, [0, 0, 2, 4, 3]),  # 10 free, 10 at $2 … each unit at the rate of its own tier
        (VOLUME, [20, 20, 3, 2, 3]),
    ],
)
def test_worked_months(mode: str, costs: list[int]) -> None:
    steps: Mapping[str, tuple[Step, ...]] = {
        GRADUATED: (Step(10, 0), Step(13, 2 * DOLLAR), Step(None, DOLLAR)),
        VOLUME: (Step(10, 4 * DOLLAR), Step(13, 43 * DOLLAR // 11), Step(None, 3 * DOLLAR)),
    }
    scheme = Scheme({}, {"image": Tiers(mode, steps[mode])})
    month, spent = spend(
        scheme, [{"image": n} for n in ((5, 5, 1, 2, 3) if mode == GRADUATED else (5, 5, 1, 4, 1))], 10_000
    )
    assert [round(cost / 10**9) for cost in spent] == costs
    assert month.excess_nanos() == 0


def test_what_volume_billed_too_much_goes_back() -> None:
    scheme = Scheme({}, {"row": Tiers(VOLUME, (Step(100, DOLLAR), Step(None, DOLLAR // 2)))})
    month, spent = spend(scheme, [{"row": 100}, {"row": 20}], 5_000)
    assert spent == [50 * 10**9, 0]
    assert month.excess_nanos() == 20 * 10**9  # 120 rows at half a dollar are $60, at half price $30


def test_cached_tokens_count_as_input_where_the_price_names_none() -> None:
    read = {"input_token": 100, "cached_input_token": 900}
    assert Scheme({"input_token": 1_000_000}).cost(read) == 1_000
    assert Scheme({"input_token": 1_000_000, "cached_input_token": 100_000}).cost(read) == 190
    tiers = {"input_token": Tiers(GRADUATED, (Step(500, 0), Step(None, 1_000_000)))}
    assert Month().charge("a", Scheme({}, tiers), read, 10_000, PLENTY)[1].cost_nanos == 500


@given(USED, FACTORS)
def test_a_share_of_the_price_is_rounded_once_and_never_below_the_minimum(
    units: dict[str, int], factor_bp: int
) -> None:
    rates = dict.fromkeys(units, 333_333)
    exact = sum(units.values()) * 333_333 * factor_bp
    assert abs(Scheme(rates).cost(units, factor_bp) * 10**10 - exact) <= 5 * 10**9
    assert Scheme(rates, minimum_nanos=7).cost(units, factor_bp) == max(7, Scheme(rates).cost(units, factor_bp))
    assert Scheme(rates, minimum_nanos=7).cost({}, factor_bp) == 0
