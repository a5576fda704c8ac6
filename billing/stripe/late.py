"""What final invoices bill too little or too much of what was used: made up for once, beside the period's invoice.

Too little (late): it came after its invoice was final (a long outage over the end of a period), was used after the
subscription's end, or was too old for the meter. Too much: Stripe's meter had what nobody used, and the invoice was final
before that was found. Both are one difference of sums, of the periods that are over:

    told − surplus − what final invoices bill − what was made up for before

where the surplus is what Stripe has beyond what was used and later reports have not worked off. It is noted with the
difference, and from then on no report works it off.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import stripe
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet, Sum
from django.utils import timezone
from stripe.params import InvoiceItemCreateParams

from billing.ledger import postings
from billing.money import NANOS_IN_MICRO
from billing.plans import subscribing
from billing.plans.models import Subscription
from billing.stripe import invoices, overbilled, reports, subscriptions
from billing.stripe.client import client, linked
from billing.stripe.invoiced import LEAST_MICROS
from billing.stripe.models import Invoice, LateUsage, Report, ReportState
from billing.stripe.products import MICRO_DOLLAR_IN_CENTS, usage_product
from billing.stripe.reports import GRACE
from billing.stripe.sending import Round, Untellable, claim, tell
from portal.accounts.models import Workspace

log = logging.getLogger(__name__)
SETTLED = timedelta(hours=2)  # after a period's end its invoice is final
LOOK_BACK = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Difference:
    """Of a workspace's periods that are over, in micro-dollars."""

    until: datetime  # when the last of them ended
    late: int  # to be invoiced; negative: to be given back
    surplus: int  # Stripe's meter has it and nobody used it

    @property
    def matters(self) -> bool:
        """Whether something is to be done about it."""
        return abs(self.late) >= LEAST_MICROS or (self.late == 0 and self.surplus > 0)


def of(workspace_id: str, days: int) -> list[LateUsage]:
    """What was made up for in the last days, the newest first."""
    since = timezone.now() - timedelta(days=days)
    rows = LateUsage.objects.select_related("invoice").filter(workspace_id=workspace_id, created_at__gte=since)
    return list(rows.order_by("-part"))


def bill_due(now: datetime) -> int:
    """Makes up for what is late, or was billed too much, of workspaces that lately had an invoice, an end, or a late report.

    How many items and credit notes Stripe took.
    """
    for workspace_id in _candidates(now - LOOK_BACK):
        try:
            find(workspace_id, now)
        except stripe.StripeError as error:
            log.error("stripe does not say what it invoiced to %s: %s", workspace_id, error)
            if not isinstance(error, stripe.InvalidRequestError):
                break  # it does not answer anybody
    turn, taken = Round(settings.STRIPE_CALLS_A_SECOND), 0
    while not turn.over and (item := claim(LateUsage, Q(), now)):
        turn.wait()
        too_much = item.value < 0
        taken += tell(item, now, turn, *((overbilled.arrived, overbilled.call) if too_much else (_arrived, _call)))
    return taken


def _candidates(since: datetime) -> set[str]:
    invoiced = Invoice.objects.filter(created_at__gte=since).exclude(status="draft")
    ended = Subscription.objects.filter(ended_at__gte=since)
    told_late = Report.objects.filter(sent_at__gte=since, timestamp__lt=F("sent_at") - GRACE)
    rows: list[QuerySet[Any]] = [invoiced, ended, told_late]
    return {workspace_id for of in rows for workspace_id in of.values_list("workspace_id", flat=True).distinct()}


def find(workspace_id: str, now: datetime) -> LateUsage | None:
    """Writes down what is to be made up for, for bill_due to tell. Raises stripe.StripeError."""
    found = difference(workspace_id, now)
    if found is None or not found.matters:
        return None
    _look_again(workspace_id)
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=workspace_id)
        found = difference(workspace_id, now)
        if found is None or not found.matters:
            return None
        part = LateUsage.objects.filter(workspace_id=workspace_id).count() + 1
        row = LateUsage(
            identifier=f"late-{workspace_id}-{part}",
            workspace_id=workspace_id,
            part=part,
            value=found.late,
            alone=subscribing.running(workspace_id) is None,
            surplus=found.surplus,
            until=found.until,
            next_attempt_at=now,
        )
        if row.value < 0 and not overbilled.choose(row):
            return None
        if row.value <= 0 and row.cents == 0:  # there is nothing that Stripe must be told
            row.state, row.sent_at = ReportState.ACCEPTED, now
        if row.value < 0:
            postings.unbill(workspace_id, row.unused_nanos, row.cents, row.source, overbilled.MEMO)
        row.save(force_insert=True)
    return row


def difference(workspace_id: str, now: datetime) -> Difference | None:
    """What is to be made up for, as far as we know; None while a period is being invoiced."""
    latest = subscribing.latest(workspace_id)
    turned = (latest.ended_at or latest.period_start) if latest else None
    if latest is None or turned is None or now < turned + SETTLED:
        return None
    final = Invoice.objects.filter(workspace_id=workspace_id)
    to_come = Q(timestamp__gte=latest.period_start) if latest.ended_at is None else Q(pk="")
    for draft in final.filter(status="draft").exclude(usage_start=None):
        to_come |= Q(timestamp__gte=draft.usage_start, timestamp__lt=draft.usage_end)
    over = Report.objects.filter(workspace_id=workspace_id).exclude(to_come)
    told = _sum(over.filter(state__in=(ReportState.ACCEPTED, ReportState.TOO_OLD)), "value")
    billed = _sum(final.exclude(status="draft"), "usage_micros")
    before = LateUsage.objects.filter(workspace_id=workspace_id)
    noted = _sum(before, "surplus")
    # What was told beyond what was used: of those periods, and of it what later reports have left.
    beyond = _sum(over, "value") - noted - _sum(over, "nanos") // NANOS_IN_MICRO
    left = -(reports.carried_nanos(workspace_id) // NANOS_IN_MICRO)
    surplus = max(min(beyond, left), 0)
    late = told - noted - surplus - billed - _sum(before, "value")
    if late < 0 and over.filter(state__in=reports.UNSENT).exists():
        return None  # an unsure one may have arrived, and be what is billed
    return Difference(turned, late, surplus)


def _sum(rows: QuerySet[Any], field: str) -> int:
    return int(rows.aggregate(n=Sum(field, default=0))["n"])


def _look_again(workspace_id: str) -> None:
    """Subscriptions first: of one that turns between the two questions, too little is late rather than too much."""
    customer = linked("customer", workspace_id)
    if customer is None:
        return
    for found in client().v1.subscriptions.list({"customer": customer, "status": "all"}).auto_paging_iter():
        subscriptions.settle(found.id)
    for invoice in client().v1.invoices.list({"customer": customer, "limit": 100}).auto_paging_iter():
        invoices.settle(str(invoice.id))


def _call(item: LateUsage) -> None:
    """With a running subscription it goes on its next invoice, else on one of its own. Raises stripe.StripeError."""
    customer = linked("customer", item.workspace_id)
    if customer is None:
        raise Untellable("the workspace has no customer at Stripe")
    calls = client().v1
    more: InvoiceItemCreateParams = {}
    if item.alone:
        made = calls.invoices.create(
            {
                "customer": customer,
                "auto_advance": True,
                "pending_invoice_items_behavior": "exclude",
                "metadata": {"late": item.identifier},
            },
            {"idempotency_key": f"{item.identifier}-invoice"},
        )
        invoice = str(made.id)
        more = {"invoice": invoice}
    calls.invoice_items.create(
        {
            "customer": customer,
            "description": "Usage that came late",
            "metadata": {"late": item.identifier},
            "quantity": item.value,
            "price_data": {
                "currency": "usd",
                "product": usage_product(),
                "unit_amount_decimal": MICRO_DOLLAR_IN_CENTS,
                "tax_behavior": "exclusive",
            },
            **more,
        },
        {"idempotency_key": item.identifier},
    )
    if item.alone:
        calls.invoices.finalize_invoice(
            invoice, {"auto_advance": True}, {"idempotency_key": f"{item.identifier}-final"}
        )


def _arrived(item: LateUsage) -> bool:
    """Whether Stripe has the item."""
    customer = linked("customer", item.workspace_id)
    if customer is None:
        return False
    items = client().v1.invoice_items.list({"customer": customer, "limit": 100}).auto_paging_iter()
    return any(one.metadata and one.metadata.to_dict().get("late") == item.identifier for one in items)
