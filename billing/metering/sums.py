"""Adding usage up: the one way for the recorder's commits, for rebuilding, and for hours that are asked for in part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from billing.ledger.kinds import AccountKind

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


# workspace, time, model, key, funding, seller, status, cost and its rests in nano-dollars, units
Used = tuple[str, datetime, str, str, str, str, str, int, int, int, Mapping[str, int]]
FIELDS = (
    "workspace_id", "recorded_at", "model", "key_id", "funding", "seller_id", "status", "cost_nanos", "rest_nanos",
    "owed_nanos", "units",
)  # fmt: skip
# What the funding that paid first did not cover is of these, if any.
REST, OWED = AccountKind.CREDIT.value, AccountKind.RECEIVABLE.value


def paid(funding: str, cost_nanos: int, rest_nanos: int, owed_nanos: int) -> Iterator[tuple[str, int]]:
    """Each funding that paid something of a cost, and what, in their order."""
    for name, nanos in ((funding, cost_nanos - rest_nanos - owed_nanos), (REST, rest_nanos), (OWED, owed_nanos)):
        if nanos:
            yield name, nanos


def hour_of(moment: datetime) -> datetime:
    """The start of the hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def day_of(moment: datetime) -> datetime:
    """The start of the day, in UTC."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def summed(events: Iterable[Used]) -> dict[Group, Sum]:
    """The events' sums by group. One that several fundings paid counts for the first, and its rests are added to the others."""
    found: dict[Group, Sum] = {}
    for (
        workspace_id,
        moment,
        model,
        key_id,
        funding,
        seller_id,
        status,
        cost_nanos,
        rest_nanos,
        owed_nanos,
        units,
    ) in events:
        group = Group(workspace_id, hour_of(moment), model, key_id, funding, seller_id)
        if group not in found:
            found[group] = Sum()
        found[group].add(1, status == FAILED, cost_nanos - rest_nanos - owed_nanos, units)
        if rest_nanos:
            found.setdefault(group._replace(funding=REST), Sum()).add(0, 0, rest_nanos, {})
        if owed_nanos:
            found.setdefault(group._replace(funding=OWED), Sum()).add(0, 0, owed_nanos, {})
    return found
