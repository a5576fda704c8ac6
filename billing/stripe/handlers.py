"""What each of Stripe's events means for us. The event only wakes; the object is fetched anew, so order does not matter."""

from __future__ import annotations

from collections.abc import Callable

from billing.stripe import connect, disputes, invoices, meter_errors, notes, refunds, subscriptions, topups, transfers
from billing.stripe.client import client


def checkout_completed(id: str) -> None:
    """A subscription or credit was paid for."""
    session = client().v1.checkout.sessions.retrieve(id)
    if session.subscription:
        subscriptions.settle(str(session.subscription))
    if session.payment_intent:
        topups.settle(str(session.payment_intent))


HANDLERS: dict[str, Callable[[str], object]] = {
    "checkout.session.completed": checkout_completed,
    "checkout.session.async_payment_succeeded": checkout_completed,
    "checkout.session.async_payment_failed": checkout_completed,
    "payment_intent.succeeded": topups.settle,
    "payment_intent.processing": topups.settle,
    "payment_intent.payment_failed": topups.settle,
    "payment_intent.canceled": topups.settle,
    "customer.subscription.created": subscriptions.settle,
    "customer.subscription.updated": subscriptions.settle,
    "customer.subscription.deleted": subscriptions.settle,
    "transfer.reversed": transfers.changed,
    "transfer.updated": transfers.changed,
    "invoice.created": invoices.settle,
    "invoice.finalized": invoices.settle,
    "invoice.paid": invoices.settle,
    "invoice.payment_failed": invoices.settle,
    "invoice.payment_action_required": invoices.settle,
    "invoice.updated": invoices.settle,
    "invoice.voided": invoices.settle,
    "invoice.marked_uncollectible": invoices.settle,
    "invoice.deleted": invoices.settle,
    "refund.created": refunds.settle,
    "refund.updated": refunds.settle,
    "refund.failed": refunds.settle,
    "credit_note.created": notes.settle,
    "credit_note.updated": notes.settle,
    "credit_note.voided": notes.settle,
    "charge.dispute.created": disputes.settle,
    "charge.dispute.updated": disputes.settle,
    "charge.dispute.closed": disputes.settle,
    "charge.dispute.funds_withdrawn": disputes.settle,
    "charge.dispute.funds_reinstated": disputes.settle,
    "v2.core.account.closed": connect.changed,
    "v2.core.account[requirements].updated": connect.changed,
    "v2.core.account[configuration.recipient].capability_status_updated": connect.changed,
    "v1.billing.meter.error_report_triggered": meter_errors.usage_dropped,
    "v1.billing.meter.no_meter_found": meter_errors.usage_dropped,
}
