"""Random prices and usage, as hypothesis draws them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from billing.prices.quote import GRADUATED, VOLUME, Scheme, Step, Tiers
from billing.prices.units import UNITS

RATES = st.integers(0, 10**10)
COUNTS = st.integers(0, 5_000)
USED = st.dictionaries(st.sampled_from(list(UNITS)), COUNTS, min_size=1, max_size=4)
FACTORS = st.sampled_from([10_000, 5_000, 8_000, 4_350, 12_000])


@st.composite
def tiers(draw: Any, modes: tuple[str, ...] = (GRADUATED, VOLUME)) -> Tiers:
    """One to four tiers; volume rates fall."""
    mode = draw(st.sampled_from(modes))
    ends = sorted(draw(st.sets(st.integers(1, 20_000), max_size=3)))
    rates = draw(st.lists(RATES, min_size=len(ends) + 1, max_size=len(ends) + 1))
    if mode == VOLUME:
        rates.sort(reverse=True)
    return Tiers(mode, tuple(Step(up_to, rate) for up_to, rate in zip([*ends, None], rates, strict=True)))


@st.composite
def schemes(draw: Any, modes: tuple[str, ...] = (GRADUATED, VOLUME), most_minimum: int = 0) -> Scheme:
    """A price with some units at rates and some, at least one, in tiers."""
    units = draw(st.lists(st.sampled_from(list(UNITS)), min_size=1, max_size=5, unique=True))
    cut = draw(st.integers(0, len(units) - 1))
    rates = {unit: draw(RATES) for unit in units[:cut]}
    return Scheme(rates, {unit: draw(tiers(modes)) for unit in units[cut:]}, draw(st.integers(0, most_minimum)))
