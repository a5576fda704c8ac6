"""Explain this charge: from an invoice's line to its reports, their hours, the requests of an hour, and one request's price.

Each step gives what the step above says beside what this one sums to, so that a reader sees whether they are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils.translation import gettext_noop

from billing import money
from billing.ledger.kinds import AccountKind
from billing.metering.log import Log
from billing.money import NANOS_IN_CENT, NANOS_IN_MICRO
from billing.statements import usage
from billing.stripe.models import Invoice, Report
from billing.stripe.reports import carried_nanos

# Stripe's words for an invoice's state: pages translate them.
STATES = (
    gettext_noop("draft"),
    gettext_noop("open"),
    gettext_noop("paid"),
    gettext_noop("void"),
    gettext_noop("uncollectible"),
)
LASTS = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Check:
    """Two ways to the same figure, in nano-dollars."""

    above: int
    sum: int

    @property
    def agrees(self) -> bool:
        """Whether they are the same."""
        return self.above == self.sum


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line of an invoice. Of metered usage, `micros` is what Stripe's meter summed up."""

    number: int
    description: str
    cents: int
    usage: bool
    micros: int
    start: datetime
    end: datetime

    @property
    def nanos(self) -> int:
        """The line's amount."""
        return self.cents * NANOS_IN_CENT

    @property
    def rounding(self) -> Check:
        """The amount, and the metered usage rounded half up to cents as Stripe does it."""
        return Check(self.nanos, money.cents(self.micros * NANOS_IN_MICRO) * NANOS_IN_CENT)


def lines(invoice: Invoice) -> list[InvoiceLine]:
    """The invoice's lines, as Stripe sent them."""
    return [
        InvoiceLine(
            number=number,
            description=line["description"],
            cents=line["cents"],
            usage=line["usage"],
            micros=line["quantity"] if line["usage"] else 0,
            start=datetime.fromtimestamp(line["start"], UTC),
            end=datetime.fromtimestamp(line["end"], UTC),
        )
        for number, line in enumerate(invoice.lines)
    ]


def total(invoice: Invoice) -> Check:
    """The invoice's total, and its lines with the tax."""
    cents = sum(line.cents for line in lines(invoice)) + invoice.tax_cents
    return Check(invoice.total_nanos, cents * NANOS_IN_CENT)


@dataclass(frozen=True, slots=True)
class HourReported:
    """What was told to Stripe's meter of one hour's usage, within a line's period."""

    hour: datetime
    parts: int
    nanos: int  # of usage
    micros: int  # told; what stays under one is told with a later part

    @property
    def told_nanos(self) -> int:
        """What was told, in nano-dollars."""
        return self.micros * NANOS_IN_MICRO

    @property
    def carried_nanos(self) -> int:
        """Added to what is carried on, or taken from it."""
        return self.nanos - self.told_nanos


@dataclass(frozen=True, slots=True)
class Reported:
    """A usage line's reports: carried in + usage = told + carried out."""

    hours: list[HourReported]
    carried_in_nanos: int
    line: Check

    @property
    def nanos(self) -> int:
        """Usage of all hours."""
        return sum(hour.nanos for hour in self.hours)

    @property
    def told_nanos(self) -> int:
        """Told of all hours."""
        return sum(hour.told_nanos for hour in self.hours)

    @property
    def carried_out_nanos(self) -> int:
        """Told with the next period."""
        return self.carried_in_nanos + self.nanos - self.told_nanos


def reported(workspace_id: str, line: InvoiceLine) -> Reported:
    """The reports that a usage line is the sum of: those with a timestamp in its period."""
    told = Report.objects.filter(workspace_id=workspace_id)
    found: dict[datetime, HourReported] = {}
    inside = told.filter(timestamp__gte=line.start, timestamp__lt=line.end).order_by("hour", "part")
    for hour, nanos, micros in inside.values_list("hour", "nanos", "value"):
        was = found.get(hour, HourReported(hour, 0, 0, 0))
        found[hour] = HourReported(hour, was.parts + 1, was.nanos + nanos, was.micros + micros)
    hours = list(found.values())
    return Reported(
        hours=hours,
        carried_in_nanos=carried_nanos(workspace_id, before=line.start),
        line=Check(line.micros * NANOS_IN_MICRO, sum(hour.told_nanos for hour in hours)),
    )


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour: its reports, and the sum of the metered requests that they cover."""

    start: datetime
    reports: list[Report]
    used: Check  # reported, and recorded

    @property
    def end(self) -> datetime:
        """Where the next begins."""
        return self.start + LASTS

    @property
    def unreported_nanos(self) -> int:
        """Recorded, and in no report yet."""
        return self.used.sum - self.used.above


def hour(workspace_id: str, start: datetime) -> Hour:
    """The hour that begins then."""
    reports = list(Report.objects.filter(workspace_id=workspace_id, hour=start).order_by("part"))
    shares = usage.breakdown(workspace_id, start, start + LASTS, "funding")
    recorded = sum(share.cost_nanos for share in shares if share.name == AccountKind.RECEIVABLE)
    return Hour(start, reports, Check(sum(report.nanos for report in reports), recorded))


def metered(workspace_id: str, start: datetime) -> Log:
    """The hour's requests that are invoiced."""
    return Log(workspace_id, start, start + LASTS, invoiced=True)


def hour_named(text: str) -> datetime:
    """The hour of an address: 2026013112 is 12 o'clock UTC. Raises ValueError."""
    if len(text) != 10 or not text.isascii() or not text.isdecimal():
        raise ValueError(f"{text!r} is no hour")
    found = datetime.strptime(text, "%Y%m%d%H").replace(tzinfo=UTC)
    if not 2000 <= found.year < 3000:
        raise ValueError(f"{text!r} is not of our time")
    return found
