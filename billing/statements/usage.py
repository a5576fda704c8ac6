"""A workspace's usage events, page by page, and their sums."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db import connection
from django.db.models import BigIntegerField, F, Func, Q, Sum, Value
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.utils import timezone

from billing.ledger.kinds import AccountKind
from billing.metering import days
from billing.metering.log import ALWAYS, LATER, Log, Place
from billing.metering.models import UsageEvent
from billing.metering.sums import Sum as Adding
from billing.metering.sums import hour_of, summed
from billing.prices.units import UNITS
from billing.statements.periods import moment_of
from portal.accounts.models import Key
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


def page(found: Log, cursor: str = "", size: int = PAGE) -> Page:
    """The page that begins after the cursor. Raises CursorInvalid."""
    rows = found.newest(size + 1, place_of(cursor) if cursor else None)
    more = len(rows) > size
    rows = rows[:size]
    return Page(rows, f"{rows[-1].recorded_at.isoformat()}~{rows[-1].id}" if more else "")


def place_of(cursor: str) -> Place:
    """The place of the last event of the page before. Raises CursorInvalid."""
    text, _, last = cursor.partition("~")
    moment = moment_of(text)
    if moment is None or not last.startswith("use_"):
        raise CursorInvalid("Take the cursor from next_cursor of the page before.", param="cursor")
    return moment, last


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
    wanted = {"workspace_id": workspace_id, "key_id": key_id, "model": model}
    of_it = Q(**{name: value for name, value in wanted.items() if value})
    total = Adding()
    for row in days.sums(*whole, of_it, ["workspace_id"], {"n": Sum("requests"), "nanos": Sum("cost_nanos")}):
        total.add(row["n"], 0, row["nanos"], {})
    for start, end in begun:
        for part in summed(Log(workspace_id, start, end, model, key_id).used()).values():
            total.add(part.requests, 0, part.cost_nanos, {})
    return Totals(total.requests, total.cost_nanos)


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
    units = {f"of_{unit}": Sum(_count(unit), default=0) for unit in UNITS}
    invoiced = Sum("cost_nanos", filter=Q(funding=AccountKind.RECEIVABLE), default=0)
    sums = {"n": Sum("requests"), "bad": Sum("failed"), "nanos": Sum("cost_nanos"), "metered": invoiced}
    for row in days.sums(*whole, Q(workspace_id=workspace_id), [column], sums | units):
        share = found.setdefault(name(row[column]), Adding())
        metered[name(row[column])] = metered.get(name(row[column]), 0) + row["metered"]
        share.add(row["n"], row["bad"], row["nanos"], {unit: n for unit in UNITS if (n := row[f"of_{unit}"])})
    for first, last in begun:
        for group, total in summed(Log(workspace_id, first, last).used()).items():
            share = found.setdefault(name(getattr(group, column)), Adding())
            if group.funding == AccountKind.RECEIVABLE:
                metered[name(getattr(group, column))] = metered.get(name(getattr(group, column)), 0) + total.cost_nanos
            share.add(total.requests, total.failed, total.cost_nanos, total.units)
    shares = [Share(key, s.requests, s.failed, s.cost_nanos, metered.get(key, 0), s.units) for key, s in found.items()]
    if by == By.DAY:
        return sorted(shares, key=lambda share: share.name)
    return sorted(shares, key=lambda share: (-share.cost_nanos, -share.requests, share.name))


_COLUMNS = {By.DAY: "hour", By.MODEL: "model", By.KEY: "key_id", By.MEMBER: "key_id", By.FUNDING: "funding"}


def _count(unit: str) -> Combinable:
    """A row's count of the unit. On SQLite Django's own way reads the JSON twice."""
    if connection.vendor == "sqlite":
        return Func(F("units"), Value(f"$.{unit}"), function="JSON_EXTRACT", output_field=BigIntegerField())
    return Cast(KT(f"units__{unit}"), BigIntegerField())


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
