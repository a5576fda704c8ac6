"""What was used and earned by day, of a workspace or of all."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Sum

from billing.metering.models import Rollup


def by_day(now: datetime, workspace_id: str = "", days: int = 30) -> list[tuple[str, int, int]]:
    """(day, nano-dollars, requests) of the last days, the oldest first; days without usage are zeros."""
    first = (now - timedelta(days=days - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = Rollup.objects.filter(hour__gte=first)
    if workspace_id:
        rows = rows.filter(workspace_id=workspace_id)
    sums = {(first + timedelta(days=at)).date().isoformat(): (0, 0) for at in range(days)}
    # By the hour: SQLite would call back into Python for the day of each row.
    for hour, nanos, requests in rows.values_list("hour").order_by().annotate(Sum("cost_nanos"), Sum("requests")):
        day = hour.date().isoformat()
        if day in sums:
            sums[day] = sums[day][0] + nanos, sums[day][1] + requests
    return [(day, *sum_) for day, sum_ in sums.items()]


def top_workspaces(now: datetime, days: int = 30, most: int = 8) -> list[tuple[str, int, int]]:
    """(workspace id, nano-dollars, requests) of those that used the most."""
    rows = Rollup.objects.filter(hour__gte=now - timedelta(days=days)).values("workspace_id")
    sums = rows.annotate(nanos=Sum("cost_nanos"), n=Sum("requests")).order_by("-nanos", "-n")[:most]
    return [(row["workspace_id"], row["nanos"], row["n"]) for row in sums]
