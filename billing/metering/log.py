"""A workspace's usage events in their order, wherever they are: in the database, or in the archive's files."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from django.db.models import Q, QuerySet

from billing.metering import files
from billing.metering.models import Archive, UsageEvent
from billing.metering.sums import FIELDS, Used

ALWAYS, LATER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_AT_ONCE = 1_000
_TEXTS = ("model", "key_id", "funding", "id", "request_id", "operation_id")
Place = tuple[datetime, str]  # of an event in the order: its time, and its id


@dataclass(frozen=True, slots=True)
class Log:
    """What is looked for: the workspace's events from `since` until before `until`; with a text here, those that have it."""

    workspace_id: str
    since: datetime = ALWAYS
    until: datetime = LATER
    model: str = ""
    key_id: str = ""
    funding: str = ""
    id: str = ""
    request_id: str = ""
    operation_id: str = ""

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
        found = list(rows.order_by("-recorded_at", "-id")[:most])
        since = max(self.since, found[-1].recorded_at) if len(found) == most else self.since
        old = replace(self, since=since, until=until).archived(newest_first=True)
        merged = heapq.merge(found, old, key=_place, reverse=True)
        return list(islice((event for event in merged if before is None or _place(event) < before), most))

    def oldest_first(self) -> Iterator[UsageEvent]:
        """All of them, some in memory at a time."""
        return heapq.merge(self.archived(newest_first=False), self._stored(), key=_place)

    def used(self) -> Iterator[Used]:
        """What is summed, in any order."""
        yield from self._rows().order_by().values_list(*FIELDS).iterator()
        for event in self.archived(newest_first=True):
            yield tuple(getattr(event, name) for name in FIELDS)

    def _rows(self) -> QuerySet[UsageEvent]:
        rows = UsageEvent.objects.filter(workspace_id=self.workspace_id)
        rows = rows.filter(recorded_at__gte=self.since, recorded_at__lt=self.until)
        return rows.filter(**self.equal)

    def _stored(self) -> Iterator[UsageEvent]:
        rows = self._rows()
        while page := list(rows.order_by("recorded_at", "id")[:_AT_ONCE]):
            yield from page
            at, last = _place(page[-1])
            rows = replace(self, since=at)._rows().filter(Q(recorded_at__gt=at) | Q(id__gt=last))

    def _of(self, part: Archive) -> Iterator[UsageEvent]:
        """The file's, the newest first."""
        from billing.metering import parquet  # loads pyarrow: only where there is an archive

        file = files.whole(part.path, part.sha256)
        return parquet.events(file, self.workspace_id, self.since, self.until, self.equal)

    def archived(self, newest_first: bool) -> Iterator[UsageEvent]:
        """What files have of it, merged. Each is opened when its turn may have come: most of a workspace's follow one another."""
        parts = files.parts(self.workspace_id, self.workspace_id, self.since, self.until)
        left = deque(parts.order_by("-last_at" if newest_first else "first_at"))
        heads: list[tuple[UsageEvent, Iterator[UsageEvent]]] = []

        def push(rest: Iterator[UsageEvent]) -> None:
            heads.extend((event, rest) for event in islice(rest, 1))

        def may_be_next(part: Archive) -> bool:
            head = choose(heads, key=_of_head)[0].recorded_at
            return part.last_at >= head if newest_first else part.first_at <= head

        choose = max if newest_first else min
        while left or heads:
            while left and (not heads or may_be_next(left[0])):
                events = self._of(left.popleft())
                push(events if newest_first else reversed(list(events)))
            if heads:
                head = choose(heads, key=_of_head)
                heads.remove(head)
                yield head[0]
                push(head[1])


def _of_head(head: tuple[UsageEvent, Iterator[UsageEvent]]) -> Place:
    return _place(head[0])


def _place(event: UsageEvent) -> Place:
    return event.recorded_at, event.pk
