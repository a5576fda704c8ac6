"""A workspace's statement for a period: what was used, what of it is invoiced, and how it was rounded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, Sum
from django.utils import timezone

from billing import money
from billing.ledger.kinds import AccountKind
from billing.metering.models import Rollup
from billing.metering.rollups import hour_of
from billing.money import NANOS_IN_MICRO
from billing.stripe.models import Report


@dataclass(frozen=True, slots=True)
class Line:
    """A model's usage in the period."""

    model: str
    requests: int
    metered_nanos: int
    credit_nanos: int  # paid from credit: not invoiced


@dataclass(frozen=True, slots=True)
class Statement:
    """The lines and how their sum becomes whole cents.

    invoiced micro-dollars = (carried in + metered) // 1000 nano-dollars; the rest is carried out; cents are rounded half
    up, as on the invoice.
    """

    start: datetime
    end: datetime
    lines: list[Line]
    carried_in_nanos: int
    metered_nanos: int
    credit_nanos: int

    @property
    def micros(self) -> int:
        """What the meter is told for the period."""
        return (self.carried_in_nanos + self.metered_nanos) // NANOS_IN_MICRO

    @property
    def carried_out_nanos(self) -> int:
        """What stays under a micro-dollar, for the next period."""
        return (self.carried_in_nanos + self.metered_nanos) % NANOS_IN_MICRO

    @property
    def total_cents(self) -> int:
        """What the invoice says."""
        return money.cents(self.micros * NANOS_IN_MICRO)


def statement(workspace_id: str, start: datetime, end: datetime) -> Statement:
    """The period's statement.

    What is invoiced is what was reported with a timestamp in the period, and, while the period runs, what no report
    covers yet: an hour in which one period ends and the next begins is split as Stripe splits it. The lines are whole hours.
    """
    metered = Q(funding=AccountKind.RECEIVABLE)
    rollups = Rollup.objects.filter(workspace_id=workspace_id)
    rows = (
        rollups.filter(hour__gte=hour_of(start), hour__lt=end)
        .values("model")
        .annotate(
            n=Sum("requests"),
            metered=Sum("cost_nanos", filter=metered, default=0),
            credit=Sum("cost_nanos", filter=~metered, default=0),
        )
        .order_by("-metered", "model")
    )
    lines = [Line(row["model"], row["n"], row["metered"], row["credit"]) for row in rows]
    reports = Report.objects.filter(workspace_id=workspace_id)
    told = reports.filter(timestamp__lt=start).aggregate(nanos=Sum("nanos", default=0), value=Sum("value", default=0))
    inside = reports.filter(timestamp__gte=start, timestamp__lt=end).aggregate(nanos=Sum("nanos", default=0))["nanos"]
    uncovered = 0
    if end > timezone.now():
        used = rollups.filter(metered).aggregate(nanos=Sum("cost_nanos", default=0))["nanos"]
        uncovered = used - reports.aggregate(nanos=Sum("nanos", default=0))["nanos"]
    return Statement(
        start=start,
        end=end,
        lines=lines,
        carried_in_nanos=told["nanos"] - told["value"] * NANOS_IN_MICRO,
        metered_nanos=inside + uncovered,
        credit_nanos=sum(line.credit_nanos for line in lines),
    )
