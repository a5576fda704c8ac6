"""Usage that Stripe's meter has and no invoice bills: it is invoiced once, by an item of its own.

It came after its invoice was final (a long outage over the end of a period), or was used after the subscription's end.
What is late is a difference of sums: accepted values − what final invoices bill − what the running period or a draft will
bill − what was invoiced as late before.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

import stripe
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet, Sum
from stripe.params import InvoiceItemCreateParams

from billing.plans import subscribing
from billing.plans.models import Subscription
from billing.stripe import invoices, products, subscriptions
from billing.stripe.client import client, linked
from billing.stripe.models import Invoice, LateUsage, Report, ReportState
from billing.stripe.products import MICRO_DOLLAR_IN_CENTS
from billing.stripe.reports import GRACE
from billing.stripe.sending import Round, Untellable, claim, tell
from portal.accounts.models import Workspace

log = logging.getLogger(__name__)
SETTLED = timedelta(hours=2)  # after a period's end its invoice is final
LOOK_BACK = timedelta(days=3)
LEAST_MICROS = 5_000  # half a cent: less is no line


def bill_due(now: datetime) -> int:
    """Invoices what is late of workspaces that lately had an invoice, an end, or a late report; how many items Stripe took."""
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
        taken += tell(item, now, turn, _arrived, _call)
    return taken


def _candidates(since: datetime) -> set[str]:
    invoiced = Invoice.objects.filter(created_at__gte=since).exclude(status="draft")
    ended = Subscription.objects.filter(ended_at__gte=since)
    told_late = Report.objects.filter(sent_at__gte=since, timestamp__lt=F("sent_at") - GRACE)
    rows: list[QuerySet[Any]] = [invoiced, ended, told_late]
    return {workspace_id for of in rows for workspace_id in of.values_list("workspace_id", flat=True).distinct()}


def find(workspace_id: str, now: datetime) -> LateUsage | None:
    """Writes down what is late, for bill_due to invoice. Raises stripe.StripeError."""
    if late_micros(workspace_id, now) < LEAST_MICROS:
        return None
    _look_again(workspace_id)
    with transaction.atomic():
        Workspace.objects.select_for_update().get(pk=workspace_id)
        value = late_micros(workspace_id, now)
        if value < LEAST_MICROS:
            return None
        part = LateUsage.objects.filter(workspace_id=workspace_id).count() + 1
        return LateUsage.objects.create(
            identifier=f"late-{workspace_id}-{part}",
            workspace_id=workspace_id,
            part=part,
            value=value,
            alone=subscribing.running(workspace_id) is None,
            next_attempt_at=now,
        )


def late_micros(workspace_id: str, now: datetime) -> int:
    """Micro-dollars that were told and are on no invoice, as far as we know; 0 while a period is being invoiced."""
    latest = subscribing.latest(workspace_id)
    turned = (latest.ended_at or latest.period_start) if latest else None
    if latest is None or turned is None or now < turned + SETTLED:
        return 0
    told = Report.objects.filter(workspace_id=workspace_id, state=ReportState.ACCEPTED)
    invoices = Invoice.objects.filter(workspace_id=workspace_id)
    to_come = Q(timestamp__gte=latest.period_start) if latest.ended_at is None else Q(pk="")
    for draft in invoices.filter(status="draft").exclude(usage_start=None):
        to_come |= Q(timestamp__gte=draft.usage_start, timestamp__lt=draft.usage_end)
    items = LateUsage.objects.filter(workspace_id=workspace_id)
    over = told.exclude(to_come).aggregate(n=Sum("value", default=0))["n"]
    billed = invoices.exclude(status="draft").aggregate(n=Sum("usage_micros", default=0))["n"]
    return int(over - billed - items.aggregate(n=Sum("value", default=0))["n"])


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
                "product": products.usage_product(),
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
