"""Latency, throughput and uptime per model and replica, summed up from the usage events for the catalog.

What failed at no replica was the caller's own mistake: it says nothing about the model. A replica that failed while
another one answered failed (`missed`), its model did not. Latencies are kept as histograms of a fixed relative width, which can be added up: a percentile is right within 5 %.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from billing.metering.models import Status, UsageEvent
from inference.routing.models import Figures
from marketplace.catalog import listings
from marketplace.catalog.listings import Use
from marketplace.catalog.resolve import Resolved

EVERY = timedelta(minutes=5)
FARTHEST = timedelta(days=7)  # back, that is summed up after a time in which nobody did
log = logging.getLogger(__name__)
_WIDTH = math.log(1.1)


@dataclass(frozen=True)
class Summary:
    """Over a span of time. Milliseconds; shares 0 to 1; None where nothing was asked."""

    served: int
    failed: int
    p50: float | None
    p95: float | None
    p99: float | None
    first_p50: float | None  # to the first token of a stream
    requests_a_minute: float
    tokens_a_second: float | None  # while it generated
    uptime: float | None

    @property
    def asked(self) -> int:
        """All requests."""
        return self.served + self.failed

    @property
    def uptime_percent(self) -> float | None:
        """For people."""
        return self.uptime * 100 if self.uptime is not None else None


def sum_up(now: datetime) -> int:
    """Makes the rows from the events, from the last that there are to the current five minutes; how many.

    Twice gives the same. After a time in which nobody summed up, what was missed is made good.
    """
    summed = Figures.objects.filter(Q(served__gt=0) | Q(failed__gt=0))
    last = summed.aggregate(last=Max("since"))["last"]
    begin = now - FARTHEST if last is None else max(min(last, _start(now)) - EVERY, now - FARTHEST)
    return _sum(_start(begin))


def missed(resolved: Resolved, replica: str) -> None:
    """Notes that the replica failed where another one is tried: no usage event tells of it."""
    row = {"version_id": resolved.version_id, "replica": replica, "since": _start(timezone.now())}
    empty = {"model": resolved.slug, "served": 0, "failed": 0, "tokens": 0, "latencies": {}, "first_tokens": {}}
    try:
        Figures.objects.get_or_create(**row, defaults=empty)
        Figures.objects.filter(**row).update(missed=F("missed") + 1)
    except DatabaseError:
        log.warning("a failure of %s was not noted: the database fails", replica)


def of(model: str, since: datetime, now: datetime, *, replica: str = "", version_id: str = "") -> Summary:
    """How the model did since then, or one replica or version of it."""
    rows = Figures.objects.filter(model=model, since__gte=since).exclude(replica="")
    if replica:
        rows = rows.filter(replica=replica)
    if version_id:
        rows = rows.filter(version_id=version_id)
    return _summary(rows, now - since, bool(replica))


def asked_since(moment: datetime) -> set[str]:
    """Models (publisher/name) that were asked since then."""
    return set(Figures.objects.filter(since__gte=moment).exclude(replica="").values_list("model", flat=True))


def by_replica(model: str, since: datetime, now: datetime) -> dict[str, Summary]:
    """The same for each of its replicas."""
    rows: dict[str, list[Figures]] = {}
    for row in Figures.objects.filter(model=model, since__gte=since).exclude(replica=""):
        rows.setdefault(row.replica, []).append(row)
    return {replica: _summary(own, now - since, True) for replica, own in rows.items()}


def tell_catalog(now: datetime) -> int:
    """Lets the catalog sort by the requests and the median latency of the last week; how many models' changed."""
    asked: Counter[str] = Counter()
    latencies: dict[str, Counter[str]] = {}
    rows = Figures.objects.filter(since__gte=now - FARTHEST).exclude(replica="")
    for row in rows.only("model", "served", "failed", "latencies").iterator():
        asked[row.model] += row.served + row.failed
        latencies.setdefault(row.model, Counter()).update(row.latencies)
    return listings.note_use({model: Use(asked[model], percentile(found, 0.5)) for model, found in latencies.items()})


def bucket(ms: float) -> int:
    """The histogram's bucket of a latency."""
    return round(math.log(max(ms, 1.0)) / _WIDTH)


def percentile(histogram: Mapping[str, int], share: float) -> float | None:
    """Milliseconds below which `share` of a histogram lies."""
    total = sum(histogram.values())
    seen = 0
    for at in sorted(histogram, key=int):
        seen += histogram[at]
        if seen >= share * total:
            return math.exp(int(at) * _WIDTH)
    return None


def _start(moment: datetime) -> datetime:
    """Of the five minutes that the moment is in."""
    return moment - timedelta(minutes=moment.minute % 5, seconds=moment.second, microseconds=moment.microsecond)


def _sum(begin: datetime) -> int:
    events = UsageEvent.objects.filter(recorded_at__gte=begin)
    events = events.exclude(replica="test").exclude(status=Status.REPLAYED)  # no replica did any of these
    wanted = ("version_id", "model", "replica", "status", "latency_ms", "first_ms", "units", "recorded_at")
    rows: dict[tuple[str, str, datetime], Figures] = {}
    for event in events.only(*wanted).iterator():
        since = _start(event.recorded_at)
        row = rows.get((event.version_id, event.replica, since))
        if row is None:
            row = rows[event.version_id, event.replica, since] = Figures(
                version_id=event.version_id, model=event.model, replica=event.replica, since=since,
                served=0, failed=0, tokens=0, latencies=Counter(), first_tokens=Counter(),
            )  # fmt: skip
        if event.status in (Status.FAILED, Status.INTERRUPTED):
            row.failed += 1
            continue
        row.served += 1
        row.tokens += event.units.get("output_token", 0)
        row.latencies[str(bucket(event.latency_ms))] += 1
        if event.first_ms is not None:
            row.first_tokens[str(bucket(event.first_ms))] += 1
    with transaction.atomic():
        Figures.objects.bulk_create(
            rows.values(),
            update_conflicts=True,
            unique_fields=["version_id", "replica", "since"],
            update_fields=["served", "failed", "tokens", "latencies", "first_tokens"],
        )
    return len(rows)


def _summary(rows: Iterable[Figures], span: timedelta, one_place: bool) -> Summary:
    served = failed = tokens = 0
    latencies: Counter[str] = Counter()
    first: Counter[str] = Counter()
    for row in rows:
        served, tokens = served + row.served, tokens + row.tokens
        failed += row.failed + (row.missed if one_place else 0)
        latencies.update(row.latencies)
        first.update(row.first_tokens)
    busy_s = sum(math.exp(int(at) * _WIDTH) * count for at, count in latencies.items()) / 1000
    return Summary(
        served=served,
        failed=failed,
        p50=percentile(latencies, 0.5),
        p95=percentile(latencies, 0.95),
        p99=percentile(latencies, 0.99),
        first_p50=percentile(first, 0.5),
        requests_a_minute=(served + failed) / max(span.total_seconds() / 60, 1e-9),
        tokens_a_second=tokens / busy_s if tokens and busy_s else None,
        uptime=served / (served + failed) if served + failed else None,
    )
