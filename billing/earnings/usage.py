"""The usage that earns something: others' usage of a publisher's models, paid for in money.

Usage of promotional credit earns nothing: nobody paid for it, and who can make workspaces could mint earnings. A
publisher's own usage earns nothing either.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import TruncHour

from billing.ledger.kinds import AccountKind
from billing.metering.models import Rollup, UsageEvent, UsageEvents
from billing.metering.sums import hour_of

PAID = (AccountKind.CREDIT.value, AccountKind.RECEIVABLE.value)  # fundings
HOUR = timedelta(hours=1)
_SOLD = ~Q(seller_id="") & ~Q(workspace_id=F("seller_id")) & Q(cost_nanos__gt=0)
_EARNS = _SOLD & Q(funding__in=PAID)
Hours = dict[str, dict[datetime, int]]  # seller → hour → nano-dollars


def by_hour(start: datetime, end: datetime) -> dict[datetime, int]:
    """Hour → nano-dollars that earn, for the hours from start until end."""
    sums = Rollup.objects.filter(_EARNS, hour__gte=start, hour__lt=end).values_list("hour").order_by()
    return {hour: int(nanos) for hour, nanos in sums.annotate(nanos=Sum("cost_nanos"))}


def of_hour(hour: datetime) -> dict[str, dict[str, int]]:
    """Seller → model → nano-dollars that earn in the hour."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    rows = Rollup.objects.filter(_EARNS, hour=hour).values_list("seller_id", "model")
    for seller_id, model, nanos in rows.annotate(nanos=Sum("cost_nanos")).order_by("seller_id", "model"):
        found[seller_id][model] = int(nanos)
    return found


def since(seller_id: str, hour: datetime) -> int:
    """Nano-dollars that earn of one seller's, from an hour on."""
    rows = Rollup.objects.filter(_EARNS, seller_id=seller_id, hour__gte=hour)
    return int(rows.aggregate(nanos=Sum("cost_nanos", default=0))["nanos"])


def of_payer(workspace_id: str, funding: str, start: datetime, end: datetime) -> Hours:
    """What one workspace's usage from a funding was worth before fees, from start to end exactly."""
    found: Hours = defaultdict(lambda: defaultdict(int))
    hours, edges = _parts(workspace_id, funding, start, end)
    whole = hours.filter(_EARNS).values_list("seller_id", "hour").annotate(nanos=Sum("cost_nanos")).order_by()
    part = edges.filter(_SOLD).annotate(hour=TruncHour("recorded_at")).order_by()
    parts = part.values_list("seller_id", "hour").annotate(nanos=Sum("paid_nanos"))
    for seller_id, hour, nanos in [*whole, *parts]:
        found[seller_id][hour] += int(nanos)
    return found


def paid_nanos(workspace_id: str, funding: str, start: datetime, end: datetime) -> int:
    """All that a workspace used from a funding, whosever models, from start to end exactly."""
    hours, edges = _parts(workspace_id, funding, start, end)
    whole = hours.aggregate(n=Sum("cost_nanos", default=0))["n"]
    return int(whole + edges.aggregate(n=Sum("paid_nanos", default=0))["n"])


def _parts(workspace_id: str, funding: str, start: datetime, end: datetime) -> tuple[QuerySet[Rollup], UsageEvents]:
    """The whole hours between the moments, as sums; and the events of the hours in which they lie, with `paid_nanos`."""
    first, last = hour_of(start + HOUR - timedelta(microseconds=1)), hour_of(end)
    hours = Rollup.objects.filter(workspace_id=workspace_id, funding=funding, hour__gte=first, hour__lt=last)
    edges = Q(recorded_at__gte=start, recorded_at__lt=min(first, end))
    if last >= first:
        edges |= Q(recorded_at__gte=last, recorded_at__lt=end)
    return hours, UsageEvent.objects.filter(edges, workspace_id=workspace_id).paid_from(funding)
