"""What was used and earned by day, of a workspace or of all."""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta

from django.db.models import Q, Sum

from billing.metering.days import sums
from billing.metering.log import LATER
from billing.metering.sums import hour_of

_SUMS = {"nanos": Sum("cost_nanos"), "n": Sum("requests")}


def by_day(now: datetime, workspace_id: str = "", days: int = 30) -> list[tuple[str, int, int]]:
    """(day, nano-dollars, requests) of the last days, the oldest first; days without usage are zeros."""
    first = (now - timedelta(days=days - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    found = {(first + timedelta(days=at)).date().isoformat(): (0, 0) for at in range(days)}
    of_it = Q(workspace_id=workspace_id) if workspace_id else Q()
    for row in sums(first, first + timedelta(days=days), of_it, ["hour"], _SUMS):
        day = row["hour"].date().isoformat()
        found[day] = found[day][0] + row["nanos"], found[day][1] + row["n"]
    return [(day, *sum_) for day, sum_ in found.items()]


def top_workspaces(now: datetime, days: int = 30, most: int = 8) -> list[tuple[str, int, int]]:
    """(workspace id, nano-dollars, requests) of those that used the most."""
    found: dict[str, tuple[int, int]] = {}
    for row in sums(hour_of(now - timedelta(days=days)), LATER, Q(), ["workspace_id"], _SUMS):
        nanos, n = found.get(row["workspace_id"], (0, 0))
        found[row["workspace_id"]] = nanos + row["nanos"], n + row["n"]
    largest = heapq.nlargest(most, found.items(), key=lambda item: item[1])
    return [(name, *sum_) for name, sum_ in largest]
