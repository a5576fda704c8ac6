"""What components/chart.html draws of money."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from billing import money


def by_day(label: str, days: Iterable[tuple[str, int]]) -> dict[str, Any]:
    """A bar a day, in dollars. `days`: 2026-01-31, nano-dollars; `label`: what they are, in the reader's language."""
    known = list(days)
    values = [nanos / money.NANOS for _day, nanos in known]
    return {"x": [day for day, _nanos in known], "dollars": True, "series": [{"label": label, "values": values}]}
