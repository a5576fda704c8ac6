"""Metered usage becomes reports: from rollups, each nano-dollar once, carried exactly. sending.py tells them to Stripe.

A report is a part of an hour's usage. Its value is whole micro-dollars: floor(Σ nanos of all reports so far / 1000)
− Σ values so far, so what stays under a micro-dollar is carried to the next part and nothing is ever lost or doubled.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet, Sum

from billing.ledger.kinds import AccountKind
from billing.metering.models import Rollup, UsageEvent
from billing.metering.rollups import hour_of
from billing.money import NANOS_IN_MICRO
from billing.plans import subscribing
from billing.plans.models import Subscription
from billing.stripe.models import LateUsage, Report, ReportState
from portal.accounts.models import Workspace

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
LOOK_BACK = timedelta(hours=6)  # of each round; sweep() looks at all that Stripe still takes
OLDEST = timedelta(days=34)  # Stripe takes timestamps of the last 35 days
SETTLED = timedelta(minutes=5)  # after its end an hour's usage is all there, late commits aside
GRACE = timedelta(minutes=45)  # Stripe's draft of an ended period takes usage for an hour: the rest is for sending
UNSENT = (ReportState.PENDING, ReportState.SENDING, ReportState.UNSURE)


def make(now: datetime) -> int:
    """Reports for recent metered usage that none covers yet; how many."""
    return _make(hour_of(now - LOOK_BACK), now)


def sweep(now: datetime) -> int:
    """The same for all hours that Stripe still takes: late events, and what a long pause of the jobs left."""
    return _make(hour_of(now - OLDEST), now)


def flush(workspace_id: str, now: datetime) -> int:
    """Reports for all that the workspace used until now, an hour that still runs included; how many."""
    hours = _uncovered(workspace_id=workspace_id).get(workspace_id, [])
    return make_for(workspace_id, hours, now, flushed=True)


def carried_nanos(workspace_id: str, before: datetime | None = None) -> int:
    """What reports (with a timestamp before then) left under a micro-dollar.

    Less than none where Stripe has more than was used; but for what invoices made up for (late.py).
    """
    reports = Report.objects.filter(workspace_id=workspace_id)
    settled = LateUsage.objects.filter(workspace_id=workspace_id)
    if before is not None:
        reports, settled = reports.filter(timestamp__lt=before), settled.filter(until__lte=before)
    told = reports.aggregate(nanos=Sum("nanos", default=0), value=Sum("value", default=0))
    surplus = settled.aggregate(n=Sum("surplus", default=0))["n"]
    return int(told["nanos"]) - NANOS_IN_MICRO * int(told["value"] - surplus)


def differences() -> list[str]:
    """Workspaces of which more was reported than used, or less was told than reported; empty when all is right."""
    metered = Rollup.objects.filter(funding=AccountKind.RECEIVABLE).order_by().values_list("workspace_id")
    used = dict(metered.annotate(nanos=Sum("cost_nanos")))
    wrong = []
    told = Report.objects.order_by().values_list("workspace_id").annotate(nanos=Sum("nanos"), value=Sum("value"))
    surplus = dict(LateUsage.objects.order_by().values_list("workspace_id").annotate(n=Sum("surplus")))
    for workspace_id, nanos, value in told:
        if nanos > used.get(workspace_id, 0):
            wrong.append(f"{workspace_id}: {nanos} nano-dollars reported, {used.get(workspace_id, 0)} metered")
        if nanos - (value - surplus.get(workspace_id, 0)) * NANOS_IN_MICRO >= NANOS_IN_MICRO:
            wrong.append(f"{workspace_id}: {nanos} nano-dollars reported, {value} micro-dollars told")
    return wrong


def _make(since: datetime, now: datetime) -> int:
    found = _uncovered(hour__gte=since)
    return sum(make_for(workspace_id, hours, now) for workspace_id, hours in found.items())


def _uncovered(**where: object) -> dict[str, list[datetime]]:
    """Workspace → its hours with usage that no report covers, the earliest first."""
    reports = Report.objects.filter(**where).values_list("workspace_id", "hour", "nanos")
    rollups = Rollup.objects.filter(funding=AccountKind.RECEIVABLE, **where)
    covered, used = _by_hour(reports), _by_hour(rollups.values_list("workspace_id", "hour", "cost_nanos"))
    found: dict[str, list[datetime]] = {}
    for (workspace_id, hour), nanos in used.items():
        if nanos > covered.get((workspace_id, hour), 0):
            found.setdefault(workspace_id, []).append(hour)
    return {workspace_id: sorted(hours) for workspace_id, hours in found.items()}


def _by_hour(rows: QuerySet[Any, tuple[str, datetime, int]]) -> dict[tuple[str, datetime], int]:
    """Summed here: for a GROUP BY, SQLite reads the whole table in its order rather than the hours that are asked for."""
    sums: dict[tuple[str, datetime], int] = {}
    for workspace_id, hour, nanos in rows.iterator():
        sums[workspace_id, hour] = sums.get((workspace_id, hour), 0) + nanos
    return sums


def make_for(workspace_id: str, hours: list[datetime], now: datetime, flushed: bool = False) -> int:
    """Reports for what the workspace used in these hours and no report covers; how many.

    An hour that still runs waits while a part of it is unsent, unless `flushed`: a busy workspace reports as often as
    Stripe takes it. Holds the workspace's row, since parts are numbered and carried one after another.
    """
    made = 0
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=workspace_id)
        subscription = subscribing.latest(workspace_id)
        if subscription is None or subscription.period_start is None:
            return 0
        reports = Report.objects.filter(workspace_id=workspace_id)
        carried, boundaries = carried_nanos(workspace_id), _boundaries(workspace_id)
        for hour in hours:
            of_hour = reports.filter(hour=hour)
            before = of_hour.aggregate(nanos=Sum("nanos", default=0), part=Max("part", default=0))
            covered, part = int(before["nanos"]), int(before["part"])
            if not flushed and now < hour + HOUR and of_hour.filter(state__in=UNSENT).exists():
                continue
            for start, end, used in _spans(workspace_id, hour, boundaries):
                nanos = max(used - covered, 0)
                value = max((carried + nanos) // NANOS_IN_MICRO, 0)
                # What is too little to be told is covered when its time is over, for the next part to carry.
                if value == 0 and (nanos == 0 or now < end + SETTLED):
                    continue
                part += 1
                Report.objects.create(
                    identifier=f"rep-{workspace_id}-{hour:%Y%m%d%H}-{part}",
                    workspace_id=workspace_id,
                    hour=hour,
                    part=part,
                    nanos=nanos,
                    value=value,
                    timestamp=_stamp(start, end, now, subscription),
                    state=ReportState.PENDING if value else ReportState.ACCEPTED,
                    next_attempt_at=now,
                )
                covered += nanos
                carried += nanos - value * NANOS_IN_MICRO
                made += 1
    return made


def _boundaries(workspace_id: str) -> list[datetime]:
    """The moments at which the workspace's periods begin and end, as far as we know them."""
    known = Subscription.objects.filter(workspace_id=workspace_id).values_list("period_start", "period_end", "ended_at")
    return sorted({moment for moments in known for moment in moments if moment is not None})


def _spans(workspace_id: str, hour: datetime, boundaries: list[datetime]) -> Iterator[tuple[datetime, datetime, int]]:
    """Start, end, and nano-dollars used from the hour's begin until the end, of each part that a boundary makes of it."""
    start = hour
    for boundary in boundaries:
        if hour < boundary < hour + HOUR:
            events = UsageEvent.objects.filter(
                workspace_id=workspace_id,
                funding=AccountKind.RECEIVABLE,
                recorded_at__gte=hour,
                recorded_at__lt=boundary,
            )
            yield start, boundary, events.aggregate(nanos=Sum("cost_nanos", default=0))["nanos"]
            start = boundary
    rollups = Rollup.objects.filter(workspace_id=workspace_id, funding=AccountKind.RECEIVABLE, hour=hour)
    yield start, hour + HOUR, rollups.aggregate(nanos=Sum("cost_nanos", default=0))["nanos"]


def _stamp(start: datetime, end: datetime, now: datetime, subscription: Subscription) -> datetime:
    """When Stripe is told that it was used: then, or, where that period's invoice is closed, in the running period."""
    at = max((min(now, end) - SECOND).replace(microsecond=0), start)
    begin = subscription.period_start
    assert begin is not None
    # With no draft before it. Our clock and Stripe's differ a little.
    first_period = subscription.created_at > begin - timedelta(days=1)
    if at >= begin or (not first_period and now < begin + GRACE):
        return at
    return begin
