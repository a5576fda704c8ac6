"""A workspace's usage events, page by page, and their sums."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from django.db.models import BigIntegerField, Count, Model, Q, QuerySet, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from billing.ledger.kinds import AccountKind
from billing.metering.models import Rollup, UsageEvent
from billing.metering.sums import FIELDS, hour_of, summed
from billing.metering.sums import Sum as Adding
from billing.prices.units import UNITS
from portal.accounts.models import Key
from portal.kit.errors import Problem

PAGE = 50
MOST_A_PAGE = 1000
ALWAYS, LATER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
T = TypeVar("T", bound=Model)


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
    workspace_id: str, *, model: str = "", key_id: str = "", since: datetime = ALWAYS, until: datetime = LATER
) -> QuerySet[UsageEvent]:
    """The workspace's events since then and before `until`, the newest first."""
    found = UsageEvent.objects.filter(workspace_id=workspace_id, recorded_at__gte=since, recorded_at__lt=until)
    return _fitting(found, key_id, model).order_by("-recorded_at", "-id")


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
        # The first condition is what an index can begin at; the second leaves out what the page before had.
        found = found.filter(Q(recorded_at__lt=moment) | Q(id__lt=last), recorded_at__lte=moment)
    rows = list(found[: size + 1])
    more = len(rows) > size
    rows = rows[:size]
    return Page(rows, f"{rows[-1].recorded_at.isoformat()}~{rows[-1].id}" if more else "")


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of a time."""

    requests: int
    cost_nanos: int


def totals(
    workspace_id: str, since: datetime = ALWAYS, until: datetime = LATER, *, key_id: str = "", model: str = ""
) -> Totals:
    """All since then and before `until`, of one key or model or of all, to the very request."""
    whole, begun = _split(since, until)
    hours = Rollup.objects.filter(workspace_id=workspace_id, hour__gte=whole[0], hour__lt=whole[1])
    rows = _fitting(hours, key_id, model)
    sums = rows.aggregate(n=Sum("requests", default=0), nanos=Sum("cost_nanos", default=0))
    requests, nanos = sums["n"], sums["nanos"]
    for start, end in begun:
        events = UsageEvent.objects.filter(workspace_id=workspace_id, recorded_at__gte=start, recorded_at__lt=end)
        part = _fitting(events, key_id, model).aggregate(n=Count("id"), nanos=Sum("cost_nanos", default=0))
        requests, nanos = requests + part["n"], nanos + part["nanos"]
    return Totals(requests, nanos)


class By(StrEnum):
    """What usage is broken down by."""

    DAY = "day"
    MODEL = "model"
    KEY = "key"
    MEMBER = "member"  # who made the key; blank: no key, or one whose maker's account is closed
    FUNDING = "funding"  # promo, credit, receivable; blank: it was free


@dataclass(frozen=True, slots=True)
class Share:
    """What one day, model, key, member or funding has of a time's usage."""

    name: str  # 2026-01-31, publisher/name, or an id
    requests: int
    failed: int
    cost_nanos: int
    metered_nanos: int  # of the cost: what is invoiced; the rest was paid from credit
    units: dict[str, int]


def breakdown(workspace_id: str, start: datetime, end: datetime, by: By | str) -> list[Share]:
    """The usage from `start` until before `end`, to the very request: days in their order, else what cost most first.

    Whole hours come from rollups; of an hour that the time cuts, the events are added up. Raises ValueError for a `by`
    that is none.
    """
    found: dict[str, Adding] = {}
    metered: dict[str, int] = {}
    by = By(by)
    column = _COLUMNS[by]
    members = (
        dict(Key.objects.filter(workspace_id=workspace_id).values_list("pk", "created_by")) if by == By.MEMBER else {}
    )

    def name(value: Any) -> str:
        if by == By.DAY:
            return value.date().isoformat()  # type: ignore[no-any-return] # a datetime
        return str(members.get(value) or "") if by == By.MEMBER else value

    whole, begun = _split(start, end)
    rows = Rollup.objects.filter(workspace_id=workspace_id, hour__gte=whole[0], hour__lt=whole[1])
    units = {f"of_{unit}": Sum(Cast(KT(f"units__{unit}"), BigIntegerField()), default=0) for unit in UNITS}
    invoiced = Sum("cost_nanos", filter=Q(funding=AccountKind.RECEIVABLE), default=0)
    sums = {"n": Sum("requests"), "bad": Sum("failed"), "nanos": Sum("cost_nanos"), "metered": invoiced}
    for row in rows.values(column).order_by().annotate(**sums, **units):
        share = found.setdefault(name(row[column]), Adding())
        metered[name(row[column])] = metered.get(name(row[column]), 0) + row["metered"]
        share.add(row["n"], row["bad"], row["nanos"], {unit: n for unit in UNITS if (n := row[f"of_{unit}"])})
    for first, last in begun:
        events = UsageEvent.objects.filter(workspace_id=workspace_id, recorded_at__gte=first, recorded_at__lt=last)
        for group, total in summed(events.values_list(*FIELDS).order_by().iterator()).items():
            share = found.setdefault(name(getattr(group, column)), Adding())
            if group.funding == AccountKind.RECEIVABLE:
                metered[name(getattr(group, column))] = metered.get(name(getattr(group, column)), 0) + total.cost_nanos
            share.add(total.requests, total.failed, total.cost_nanos, total.units)
    shares = [Share(key, s.requests, s.failed, s.cost_nanos, metered.get(key, 0), s.units) for key, s in found.items()]
    if by == By.DAY:
        return sorted(shares, key=lambda share: share.name)
    return sorted(shares, key=lambda share: (-share.cost_nanos, -share.requests, share.name))


_COLUMNS = {By.DAY: "hour", By.MODEL: "model", By.KEY: "key_id", By.MEMBER: "key_id", By.FUNDING: "funding"}


def _split(start: datetime, end: datetime) -> tuple[tuple[datetime, datetime], list[tuple[datetime, datetime]]]:
    """The whole hours in a time, and what it has of other hours. An hour that still runs is whole: it has no more yet."""
    first, last = hour_of(start), hour_of(end)
    if first < start:
        first += timedelta(hours=1)
    if end > timezone.now():
        last = end
    if first > last:
        return (first, first), [(start, end)]
    return (first, last), [(a, b) for a, b in ((start, first), (last, end)) if a < b]


def _fitting(rows: QuerySet[T], key_id: str, model: str) -> QuerySet[T]:
    if key_id:
        rows = rows.filter(key_id=key_id)
    return rows.filter(model=model) if model else rows
