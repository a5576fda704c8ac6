"""A workspace's usage events in their order, wherever they are: in the database, or in the archive's files."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from django.db.models import Q, QuerySet

from billing.metering import files
from billing.metering.models import Archive, UsageEvent
from billing.metering.sums import FIELDS, OWED, Used

ALWAYS, LATER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_AT_ONCE = 1_000
_TEXTS = ("model", "key_id", "id", "request_id", "operation_id")
Place = tuple[datetime, str]  # of an event in the order: its time, and its id
Row = tuple[Any, ...]  # columns of an event, its place first: so rows compare as their events follow one another
_PLACE = ("recorded_at", "id")
_NAMES = (*_PLACE, *(f.attname for f in UsageEvent._meta.concrete_fields if f.attname not in _PLACE))


@dataclass(frozen=True, slots=True)
class Log:
    """What is looked for: the workspace's events from `since` until before `until`; with a text here, those that have it."""

    workspace_id: str
    since: datetime = ALWAYS
    until: datetime = LATER
    model: str = ""
    key_id: str = ""
    id: str = ""
    request_id: str = ""
    operation_id: str = ""
    invoiced: bool = False  # only those of which an invoice has something

    @property
    def equal(self) -> dict[str, str]:
        """Column → what it must be."""
        asked = {name: getattr(self, name) for name in _TEXTS}
        return {name: text for name, text in asked.items() if text}

    def newest(self, most: int, before: Place | None = None) -> list[UsageEvent]:
        """So many at most, the newest first, after the event at `before`: the millionth page is as quick as the first."""
        # One bound for the time: an index begins at it. SQLite takes the first of several, whatever they are.
        until = self.until if before is None else min(self.until, before[0] + timedelta(microseconds=1))
        rows = replace(self, until=until)._rows()
        if before is not None:
            rows = rows.filter(Q(recorded_at__lt=before[0]) | Q(id__lt=before[1]))
        found = list(rows.order_by("-recorded_at", "-id").values_list(*_NAMES)[:most])
        since = max(self.since, found[-1][0]) if len(found) == most else self.since
        old = replace(self, since=since, until=until)._archived(_NAMES, newest_first=True)
        merged = heapq.merge(found, old, reverse=True)
        return [_event(row) for row in islice((row for row in merged if before is None or row[:2] < before), most)]

    def rows(self, *names: str, newest_first: bool = False) -> Iterator[Row]:
        """All of them, some in memory at a time, as (recorded_at, id, *names): a million cost no more than reading them."""
        columns = (*_PLACE, *names)
        old, stored = self._archived(columns, newest_first), self._stored(columns, newest_first)
        return heapq.merge(old, stored, reverse=newest_first)

    def oldest_first(self) -> Iterator[UsageEvent]:
        """All of them, some in memory at a time."""
        return map(_event, self.rows(*_NAMES[2:]))

    def archived(self) -> Iterator[UsageEvent]:
        """What files have of it, the oldest first."""
        return map(_event, self._archived(_NAMES, newest_first=False))

    def used(self) -> Iterator[Used]:
        """What is summed, in any order."""
        yield from self._rows().order_by().values_list(*FIELDS).iterator()
        for row in self._archived((*_PLACE, *FIELDS), newest_first=True):
            yield row[2:]

    def _rows(self) -> QuerySet[UsageEvent]:
        rows = UsageEvent.objects.filter(workspace_id=self.workspace_id)
        rows = rows.filter(recorded_at__gte=self.since, recorded_at__lt=self.until, **self.equal)
        return rows.filter(Q(funding=OWED) | Q(owed_nanos__gt=0)) if self.invoiced else rows

    def _stored(self, columns: Sequence[str], newest_first: bool) -> Iterator[Row]:
        order = [f"-{name}" if newest_first else name for name in _PLACE]
        rows = self._rows()
        while page := list(rows.order_by(*order).values_list(*columns)[:_AT_ONCE]):
            yield from page
            if len(page) < _AT_ONCE:
                return
            at, last = page[-1][:2]
            if newest_first:
                rest = replace(self, until=at + timedelta(microseconds=1))
                rows = rest._rows().filter(Q(recorded_at__lt=at) | Q(id__lt=last))
            else:
                rows = replace(self, since=at)._rows().filter(Q(recorded_at__gt=at) | Q(id__gt=last))

    def _of(self, part: Archive, columns: Sequence[str]) -> Iterator[Row]:
        """The file's, the newest first."""
        from billing.metering import parquet  # loads pyarrow: only where there is an archive

        file = files.whole(part.path, part.sha256)
        return parquet.rows(file, columns, self.workspace_id, self.since, self.until, self.equal, self.invoiced)

    def _archived(self, columns: Sequence[str], newest_first: bool) -> Iterator[Row]:
        """What files have of it, merged. Each is opened when its turn may have come: most of a workspace's follow one another."""
        parts = files.parts(self.workspace_id, self.workspace_id, self.since, self.until)
        left = deque(parts.order_by("-last_at" if newest_first else "first_at"))
        heads: list[tuple[Row, Iterator[Row]]] = []

        def push(rest: Iterator[Row]) -> None:
            heads.extend((row, rest) for row in islice(rest, 1))

        def may_be_next(part: Archive) -> bool:
            head = choose(heads, key=_row_of)[0][0]
            return bool(part.last_at >= head if newest_first else part.first_at <= head)

        choose = max if newest_first else min
        while left or heads:
            while left and (not heads or may_be_next(left[0])):
                rows = self._of(left.popleft(), columns)
                push(rows if newest_first else reversed(list(rows)))
            if heads:
                head = choose(heads, key=_row_of)
                heads.remove(head)
                yield head[0]
                push(head[1])


def _row_of(head: tuple[Row, Iterator[Row]]) -> Row:
    return head[0]


def _event(row: Row) -> UsageEvent:
    return UsageEvent(**dict(zip(_NAMES, row, strict=True)))
