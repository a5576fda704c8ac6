"""Proves that events cost what their price says: each cost is worked out again from the event's units and price version."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from django.db.models import Max, Min

from billing.metering.files import whole
from billing.metering.models import Archive, UsageEvent
from billing.prices.explain import explain
from portal.kit import ids

NEWEST, ELSEWHERE = 5_000, 5_000  # events that are looked at where not all are
FIELDS = ("id", "units", "price_id", "factor_bp", "tier_from", "cost_nanos")
AT_ONCE = 2_000


@dataclass(slots=True)
class Checked:
    """How many events were looked at, and a sentence for each that does not cost what its price says."""

    events: int = 0
    wrong: list[str] = field(default_factory=list)


def check(everything: bool = False) -> Checked:
    """Looks at the newest events and at a stretch elsewhere, another one each time; or at all, those in the archive too.

    What costs less than its units come to was limited by what was set aside, or has failed. Raises ArchiveUnreadable.
    """
    found = Checked()
    for event in chain(_kept(), _archived()) if everything else _some():
        found.events += 1
        said = explain(event)
        if not said.agrees:
            price = (
                f"version {said.version} of its price"
                if said.version
                else f"its price {event.price_id or 'of nothing'}"
            )
            found.wrong.append(f"event {event.pk}: costs {event.cost_nanos}, {price} says {said.due_nanos}")
    return found


def _some() -> Iterator[UsageEvent]:
    rows = UsageEvent.objects.only(*FIELDS)
    newest = list(rows.order_by("-pk")[:NEWEST])
    yield from newest
    if len(newest) < NEWEST:
        return
    span = UsageEvent.objects.aggregate(first=Min("recorded_at"), last=Max("recorded_at"))
    first: datetime = span["first"]
    seconds = (span["last"] - first).total_seconds()
    somewhere = ids.first("use", first + timedelta(seconds=random.uniform(0, seconds)))  # noqa: S311 – a sample
    yield from rows.filter(pk__gte=somewhere, pk__lt=newest[-1].pk).order_by("pk")[:ELSEWHERE]


def _kept() -> Iterator[UsageEvent]:
    """By their ids: no query stays open while all are read."""
    last = ""
    while rows := list(UsageEvent.objects.only(*FIELDS).filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        yield from rows
        last = rows[-1].pk


def _archived() -> Iterator[UsageEvent]:
    from billing.metering import parquet  # loads pyarrow

    for path, sha256 in Archive.objects.order_by("pk").values_list("path", "sha256"):
        for row in parquet.everything(whole(path, sha256), list(FIELDS)):
            yield UsageEvent(**row)
