"""Adding usage up: the one way for the recorder's commits, for rebuilding, and for hours that are asked for in part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

FAILED = "failed"


class Group(NamedTuple):
    """What usage is summed by."""

    workspace_id: str
    hour: datetime
    model: str
    key_id: str
    funding: str
    seller_id: str


@dataclass(slots=True)
class Sum:
    """Of some events."""

    requests: int = 0
    failed: int = 0
    cost_nanos: int = 0
    units: dict[str, int] = field(default_factory=dict)

    def add(self, requests: int, failed: int, cost_nanos: int, units: Mapping[str, int]) -> None:
        """One event, or another sum."""
        self.requests += requests
        self.failed += failed
        self.cost_nanos += cost_nanos
        own = self.units
        for name, count in units.items():
            own[name] = own.get(name, 0) + count


# workspace, time, model, key, funding, seller, status, cost in nano-dollars, units
Used = tuple[str, datetime, str, str, str, str, str, int, Mapping[str, int]]
FIELDS = (
    "workspace_id", "recorded_at", "model", "key_id", "funding", "seller_id", "status", "cost_nanos", "units",
)  # fmt: skip


def hour_of(moment: datetime) -> datetime:
    """The start of the hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def day_of(moment: datetime) -> datetime:
    """The start of the day, in UTC."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def summed(events: Iterable[Used]) -> dict[Group, Sum]:
    """The events' sums by group."""
    found: dict[Group, Sum] = {}
    for workspace_id, moment, model, key_id, funding, seller_id, status, cost_nanos, units in events:
        group = Group(workspace_id, hour_of(moment), model, key_id, funding, seller_id)
        if group not in found:
            found[group] = Sum()
        found[group].add(1, status == FAILED, cost_nanos, units)
    return found
