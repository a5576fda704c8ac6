"""Metered usage on its way to Stripe's meter: made from rollups, sent once, carried exactly.

A report is a part of an hour's usage. Its value is whole micro-dollars: floor(Σ nanos of all reports so far / 1000)
− Σ values so far, so what stays under a micro-dollar is carried to the next part and nothing is ever lost or doubled.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import stripe
from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q, Sum
from django.utils import timezone

from billing.ledger.kinds import AccountKind
from billing.metering.models import Rollup
from billing.money import NANOS_IN_MICRO
from billing.plans import subscribing
from billing.stripe import products
from billing.stripe.client import client, linked
from billing.stripe.models import Report, ReportState
from portal.accounts.models import Workspace

LOST_AFTER = timedelta(minutes=1)  # a sender that fell silent: the same report is sent again under the same identifier
LONGEST_PAUSE_S = 3600


def make(now: datetime) -> int:
    """Reports for the metered usage that none covers yet; how many."""
    owing = Rollup.objects.filter(funding=AccountKind.RECEIVABLE).values_list("workspace_id", flat=True).distinct()
    return sum(_make_for(workspace_id, now) for workspace_id in owing.order_by())


def _make_for(workspace_id: str, now: datetime) -> int:
    made = 0
    with transaction.atomic():
        # Whoever makes reports of a workspace holds its row: parts are numbered and carried one after another.
        Workspace.objects.select_for_update().get(pk=workspace_id)
        subscription = subscribing.latest(workspace_id)
        if subscription is None or subscription.period_start is None:
            return 0
        reports = Report.objects.filter(workspace_id=workspace_id)
        told = reports.aggregate(nanos=Sum("nanos"), value=Sum("value"))
        carried = (told["nanos"] or 0) - NANOS_IN_MICRO * (told["value"] or 0)
        covered = dict(reports.values_list("hour").annotate(total=Sum("nanos")).order_by())
        parts = dict(reports.values_list("hour").annotate(last=Max("part")).order_by())
        used = (
            Rollup.objects.filter(workspace_id=workspace_id, funding=AccountKind.RECEIVABLE)
            .values_list("hour")
            .annotate(total=Sum("cost_nanos"))
            .order_by("hour")
        )
        for hour, total in used:
            nanos = total - covered.get(hour, 0)
            value = (carried + nanos) // NANOS_IN_MICRO
            if nanos <= 0 or value <= 0:
                continue
            part = parts.get(hour, 0) + 1
            at = max(min(now, hour + timedelta(hours=1, seconds=-1)), subscription.period_start)
            Report.objects.create(
                identifier=f"rep-{workspace_id}-{hour:%Y%m%d%H}-{part}",
                workspace_id=workspace_id,
                hour=hour,
                part=part,
                nanos=nanos,
                value=value,
                timestamp=at,
            )
            carried += nanos - value * NANOS_IN_MICRO
            made += 1
    return made


def send_due(now: datetime) -> int:
    """Sends what waits, one after another, as Stripe wants it for each customer; how many were accepted."""
    due = Q(state=ReportState.PENDING, next_attempt_at__lte=now) | Q(
        state=ReportState.SENDING, next_attempt_at__lte=now - LOST_AFTER
    )
    accepted = 0
    for report in Report.objects.filter(due).order_by("timestamp", "part")[:500]:
        # Conditional on what was read: two senders at once give one.
        mine = Report.objects.filter(pk=report.pk, state=report.state, attempts=report.attempts)
        if mine.update(state=ReportState.SENDING, attempts=F("attempts") + 1, next_attempt_at=timezone.now()):
            report.attempts += 1
            accepted += _send(report)
    return accepted


def _send(report: Report) -> bool:
    try:
        products.meter()
        customer = linked("customer", report.workspace_id)
        if customer is None:
            return _end(report, ReportState.REJECTED, "the workspace has no customer at Stripe")
        client().v1.billing.meter_events.create(
            {
                "event_name": settings.METER_EVENT_NAME,
                "identifier": report.identifier,
                "timestamp": int(report.timestamp.timestamp()),
                "payload": {"stripe_customer_id": customer, "value": str(report.value)},
            },
            {"idempotency_key": report.identifier},
        )
    except stripe.InvalidRequestError as error:
        # A duplicate has no code, and means that the first one arrived.
        if "already exists with identifier" in str(error.user_message):
            return _end(report, ReportState.ACCEPTED)
        return _end(report, ReportState.REJECTED, str(error.user_message))
    except stripe.StripeError as error:
        pause = min(2.0**report.attempts, LONGEST_PAUSE_S) * random.uniform(0.5, 1)  # noqa: S311 – jitter
        Report.objects.filter(pk=report.pk).update(
            state=ReportState.PENDING,
            next_attempt_at=timezone.now() + timedelta(seconds=pause),
            error=type(error).__name__,
        )
        return False
    return _end(report, ReportState.ACCEPTED)


def _end(report: Report, state: ReportState, error: str = "") -> bool:
    Report.objects.filter(pk=report.pk).update(state=state, error=error[:300], sent_at=timezone.now())
    return state == ReportState.ACCEPTED


def carried_nanos(workspace_id: str) -> int:
    """What reports so far left under a micro-dollar."""
    told = Report.objects.filter(workspace_id=workspace_id).aggregate(nanos=Sum("nanos"), value=Sum("value"))
    return (told["nanos"] or 0) - NANOS_IN_MICRO * (told["value"] or 0)
