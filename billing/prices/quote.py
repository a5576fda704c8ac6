"""What a number of units costs at a rate."""

from __future__ import annotations

from collections.abc import Mapping

PER = 1_000_000  # rates are nano-dollars per this many units


def cost(rates: Mapping[str, int], units: Mapping[str, int]) -> int:
    """Nano-dollars: Σ units × rate, rounded half up once. Units without a rate are free."""
    total = 0
    for unit, rate in rates.items():
        total += units.get(unit, 0) * rate
    return (total + PER // 2) // PER
