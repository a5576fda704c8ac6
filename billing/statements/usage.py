"""A workspace's usage events, page by page, and their sums."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from billing.metering.models import Rollup, UsageEvent
from billing.metering.rollups import hour_of
from portal.kit.errors import Problem

PAGE = 50
MOST_A_PAGE = 1000


class CursorInvalid(Problem):
    """Not a cursor that we gave."""

    status = 422
    code = "cursor_invalid"


@dataclass(frozen=True, slots=True)
class Page:
    """Events, the newest first, and where the next page begins."""

    events: list[UsageEvent]
    next_cursor: str


def events(
    workspace_id: str, *, model: str = "", key_id: str = "", since: datetime | None = None
) -> QuerySet[UsageEvent]:
    """The workspace's events, the newest first."""
    found = UsageEvent.objects.filter(workspace_id=workspace_id)
    if model:
        found = found.filter(model=model)
    if key_id:
        found = found.filter(key_id=key_id)
    if since is not None:
        found = found.filter(recorded_at__gte=since)
    return found.order_by("-recorded_at", "-id")


def page(found: QuerySet[UsageEvent], cursor: str = "", size: int = PAGE) -> Page:
    """The page that begins after the cursor: by key, so that the millionth is as quick as the first. Raises CursorInvalid."""
    if cursor:
        text, _, last = cursor.partition("~")
        try:
            moment = parse_datetime(text)
        except ValueError:
            moment = None
        if moment is None or not last.startswith("use_"):
            raise CursorInvalid("Take the cursor from next_cursor of the page before.", param="cursor")
        found = found.filter(Q(recorded_at__lt=moment) | Q(recorded_at=moment, id__lt=last))
    rows = list(found[: size + 1])
    more = len(rows) > size
    rows = rows[:size]
    return Page(rows, f"{rows[-1].recorded_at.isoformat()}~{rows[-1].id}" if more else "")


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of a time."""

    requests: int
    cost_nanos: int


def totals(workspace_id: str, since: datetime, key_id: str = "") -> Totals:
    """Since the start of an hour, of one key or all: rollups of the hours that are over, and the events of this one."""
    hour = hour_of(timezone.now())
    over = Rollup.objects.filter(workspace_id=workspace_id, hour__gte=since, hour__lt=hour)
    fresh = UsageEvent.objects.filter(workspace_id=workspace_id, recorded_at__gte=max(since, hour))
    if key_id:
        over, fresh = over.filter(key_id=key_id), fresh.filter(key_id=key_id)
    sums = over.aggregate(n=Sum("requests", default=0), nanos=Sum("cost_nanos", default=0))
    now = fresh.aggregate(n=Count("id"), nanos=Sum("cost_nanos", default=0))
    return Totals(sums["n"] + now["n"], sums["nanos"] + now["nanos"])
