"""What each of Stripe's events means for us. The event only wakes; the object is fetched anew, so order does not matter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from billing.ledger import postings
from billing.plans import subscribing
from billing.plans.models import Plan
from billing.plans.seeds import PAY_AS_YOU_GO
from billing.stripe import connect, invoiced, meter_errors, topups, transfers
from billing.stripe.client import client, key_of
from billing.stripe.models import Invoice


def checkout_completed(id: str) -> None:
    """A subscription or credit was paid for."""
    session = client().v1.checkout.sessions.retrieve(id)
    if session.subscription:
        subscription_changed(str(session.subscription))
    if session.payment_intent:
        topups.settle(str(session.payment_intent))


def payment_changed(id: str) -> None:
    """A payment succeeded, failed or waits."""
    topups.settle(id)


def subscription_changed(id: str) -> None:
    """A subscription began, changed or ended."""
    found = client().v1.subscriptions.retrieve(id)
    workspace_id = key_of("customer", str(found.customer))
    if workspace_id is None:
        return  # another system's customer in the same Stripe account
    item = found["items"].data[0]
    metadata = found.metadata.to_dict()
    code = metadata.get("plan", PAY_AS_YOU_GO)
    if not Plan.objects.filter(pk=code).exists():
        return
    subscribing.observe(
        workspace_id=workspace_id,
        plan_code=code,
        stripe_id=found.id,
        status=found.status,
        period_start=_moment(item.current_period_start),
        period_end=_moment(item.current_period_end),
        cancel_at_period_end=bool(found.cancel_at_period_end),
        ended_at=_moment(found.ended_at) if found.ended_at else None,
    )


def invoice_changed(id: str) -> None:
    """An invoice was made, made final, or paid: mirrored; a payment settles what the workspace owed, once."""
    found = client().v1.invoices.retrieve(id)
    workspace_id = key_of("customer", str(found.customer))
    if workspace_id is None:
        return
    Invoice.objects.update_or_create(
        stripe_id=found.id,
        defaults={
            "workspace_id": workspace_id,
            "number": found.number or "",
            "status": found.status or "",
            "currency": found.currency,
            "total_cents": found.total,
            "paid_cents": found.amount_paid,
            "period_start": _moment(found.period_start),
            "period_end": _moment(found.period_end),
            "hosted_url": found.hosted_invoice_url or "",
            "created_at": _moment(found.created),
            **invoiced.usage_of(found),
        },
    )
    if found.status == "paid" and found.amount_paid:
        postings.pay_invoice(workspace_id, found.amount_paid, f"invoice:{found.id}:paid")


HANDLERS: dict[str, Callable[[str], None]] = {
    "checkout.session.completed": checkout_completed,
    "checkout.session.async_payment_succeeded": checkout_completed,
    "checkout.session.async_payment_failed": checkout_completed,
    "payment_intent.succeeded": payment_changed,
    "payment_intent.processing": payment_changed,
    "payment_intent.payment_failed": payment_changed,
    "payment_intent.canceled": payment_changed,
    "customer.subscription.created": subscription_changed,
    "customer.subscription.updated": subscription_changed,
    "customer.subscription.deleted": subscription_changed,
    "transfer.reversed": transfers.changed,
    "transfer.updated": transfers.changed,
    "invoice.created": invoice_changed,
    "invoice.finalized": invoice_changed,
    "invoice.paid": invoice_changed,
    "invoice.payment_failed": invoice_changed,
    "invoice.voided": invoice_changed,
    "v2.core.account.closed": connect.changed,
    "v2.core.account[requirements].updated": connect.changed,
    "v2.core.account[configuration.recipient].capability_status_updated": connect.changed,
    "v1.billing.meter.error_report_triggered": meter_errors.usage_dropped,
    "v1.billing.meter.no_meter_found": meter_errors.usage_dropped,
}


def _moment(seconds: Any) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
