"""A workspace's statement for a period: what was used, what of it is invoiced, and how it was rounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import money
from billing.ledger.kinds import AccountKind
from billing.metering import days
from billing.metering.log import ALWAYS, LATER
from billing.money import NANOS_IN_MICRO
from billing.statements import usage
from billing.stripe import reports
from billing.stripe.models import Report
from portal.accounts.models import Key

BY = ("day", "model", "key", "member")


@dataclass(frozen=True, slots=True)
class Line:
    """The usage of one day, model, key or member in the period."""

    label: str
    requests: int
    metered_nanos: int
    credit_nanos: int  # paid from credit: not invoiced
    units: Mapping[str, int] = field(default_factory=dict)
    id: str = ""  # of the key or member

    @property
    def cost_nanos(self) -> int:
        """All of it."""
        return self.metered_nanos + self.credit_nanos


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

    @property
    def requests(self) -> int:
        """Of all lines."""
        return sum(line.requests for line in self.lines)

    @property
    def credit_nanos(self) -> int:
        """Paid from credit."""
        return sum(line.credit_nanos for line in self.lines)

    @property
    def cost_nanos(self) -> int:
        """What was used in all, invoiced or paid from credit."""
        return sum(line.cost_nanos for line in self.lines)

    @property
    def lines_metered_nanos(self) -> int:
        """Metered usage of all lines."""
        return sum(line.metered_nanos for line in self.lines)

    @property
    def other_periods_nanos(self) -> int:
        """Metered by the lines, and invoiced with another period, negative; or the other way round.

        Reports are of whole hours: one in which a period ends is split as it was reported, and usage that was recorded
        after its period was invoiced is on the next invoice.
        """
        return self.metered_nanos - self.lines_metered_nanos

    @property
    def micros(self) -> int:
        """What the meter is told for the period."""
        return (self.carried_in_nanos + self.metered_nanos) // NANOS_IN_MICRO

    @property
    def carried_out_nanos(self) -> int:
        """What stays under a micro-dollar, for the next period."""
        return (self.carried_in_nanos + self.metered_nanos) % NANOS_IN_MICRO

    @property
    def carried_out_negative_nanos(self) -> int:
        """The same, as what it takes off this period."""
        return -self.carried_out_nanos

    @property
    def total_cents(self) -> int:
        """What the invoice says."""
        return money.cents(self.micros * NANOS_IN_MICRO)

    @property
    def rounding_nanos(self) -> int:
        """What rounding to whole cents added or took."""
        return self.total_cents * money.NANOS_IN_CENT - self.micros * NANOS_IN_MICRO


def statement(workspace_id: str, start: datetime, end: datetime, by: str = "model") -> Statement:
    """The period's statement, its lines `by` one of BY.

    What is invoiced is what was reported with a timestamp in the period, and, while the period runs, what no report
    covers yet: an hour in which one period ends and the next begins is split as Stripe splits it.
    """
    lines = _lines(workspace_id, start, end, by)
    told = Report.objects.filter(workspace_id=workspace_id)
    inside = told.filter(timestamp__gte=start, timestamp__lt=end).aggregate(nanos=Sum("nanos", default=0))["nanos"]
    uncovered = 0
    if start <= timezone.now() < end:
        metered = Q(workspace_id=workspace_id, funding=AccountKind.RECEIVABLE)
        ever = days.sums(ALWAYS, LATER, metered, ["funding"], {"nanos": Sum("cost_nanos")})
        uncovered = sum(row["nanos"] for row in ever)
        uncovered -= told.aggregate(nanos=Sum("nanos", default=0))["nanos"]
    return Statement(
        start=start,
        end=end,
        lines=lines,
        carried_in_nanos=reports.carried_nanos(workspace_id, before=start),
        metered_nanos=inside + uncovered,
    )


def _lines(workspace_id: str, start: datetime, end: datetime, by: str) -> list[Line]:
    names = _names(workspace_id, by)
    return [
        Line(
            label=names.get(share.name, share.name),
            requests=share.requests,
            metered_nanos=share.metered_nanos,
            credit_nanos=share.cost_nanos - share.metered_nanos,
            units=share.units,
            id=share.name,
        )
        for share in usage.breakdown(workspace_id, start, end, by)
    ]


def _names(workspace_id: str, by: str) -> dict[str, str]:
    """What people call the keys and members that the lines name by their ids."""
    if by not in ("key", "member"):
        return {}
    keys = Key.objects.filter(workspace_id=workspace_id).select_related("created_by")
    if by == "key":
        return {"": _("in the browser")} | {key.pk: f"{key.name} ({key.hint})" for key in keys}
    nobody = _("nobody: the browser, or a key of the workspace")
    return {"": nobody} | {str(key.created_by_id): key.created_by.email for key in keys if key.created_by}
