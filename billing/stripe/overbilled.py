"""Usage that a final invoice bills too much of: given back by a credit note, once.

An open invoice becomes less by it. Of a paid one it is credit for the customer's next invoice while a subscription runs;
where none does, what the card paid goes back to the card, and only the rest is credit.
"""

from __future__ import annotations

from datetime import datetime

import stripe
from django.db.models import Sum
from stripe.params import CreditNoteCreateParams

from billing import money
from billing.money import NANOS_IN_MICRO
from billing.stripe import invoiced
from billing.stripe.client import client
from billing.stripe.models import Invoice, LateUsage, Report

LATE = "late"  # the name of our row's identifier in a credit note's metadata
MEMO = "Usage that was billed too much"


def choose(row: LateUsage) -> bool:
    """Sets which invoice is credited, and how much of what the row is to give back. False where none bills too much."""
    final = Invoice.objects.filter(workspace_id=row.workspace_id, status__in=("open", "paid"), usage_end__lte=row.until)
    for invoice in final.order_by("-usage_end"):
        credited = LateUsage.objects.filter(invoice=invoice).aggregate(n=Sum("value", default=0))["n"]
        bills = invoice.usage_micros + credited
        used = _used(invoice.workspace_id, invoice.usage_end) - _used(invoice.workspace_id, invoice.usage_start)
        too_much = min(bills - used, -row.value)
        if too_much >= invoiced.LEAST_MICROS:
            row.invoice, row.value = invoice, -too_much
            row.cents = money.cents(bills * NANOS_IN_MICRO) - money.cents((bills - too_much) * NANOS_IN_MICRO)
            return True
    return False


def _used(workspace_id: str, before: datetime | None) -> int:
    """Whole micro-dollars of all that was reported as used before then."""
    told = Report.objects.filter(workspace_id=workspace_id, timestamp__lt=before)
    return int(told.aggregate(n=Sum("nanos", default=0))["n"]) // NANOS_IN_MICRO


def call(row: LateUsage) -> None:
    """Makes the credit note, if Stripe has none. Raises stripe.StripeError."""
    if arrived(row):
        return
    found = client().v1.invoices.retrieve(str(row.invoice_id))
    line = max(filter(invoiced.metered, invoiced.all_lines(found)), key=lambda one: one.amount)
    total = row.cents + _tax(line, row.cents)
    asked: CreditNoteCreateParams = {
        "invoice": str(row.invoice_id),
        "lines": [{"type": "invoice_line_item", "invoice_line_item": line.id, "amount": row.cents}],
        "memo": MEMO,
        "metadata": {LATE: row.identifier},
    }
    paid = max(total - found.amount_remaining, 0)
    back = min(paid, _refundable(row)) if row.alone else 0
    if back:
        asked["refund_amount"] = back
    if paid > back:
        asked["credit_amount"] = paid - back
    client().v1.credit_notes.create(asked, {"idempotency_key": row.identifier})


def _tax(line: stripe.InvoiceLineItem, cents: int) -> int:
    """The taxes on top of so much of a line, in cents, each rounded half up as Stripe does."""
    on_top = [tax.amount for tax in line.taxes or [] if tax.tax_behavior == "exclusive"]
    return sum((2 * amount * cents + line.amount) // (2 * line.amount) for amount in on_top)


def _refundable(row: LateUsage) -> int:
    """Cents that the card paid for the invoice and were not refunded."""
    paid = client().v1.invoice_payments.list({"invoice": str(row.invoice_id), "status": "paid"}).data
    by_card = sum(one.amount_paid or 0 for one in paid if one.payment.type == "payment_intent")
    assert row.invoice is not None
    return max(by_card - row.invoice.refunded_cents, 0)


def arrived(row: LateUsage) -> bool:
    """Whether Stripe has the credit note."""
    notes = client().v1.credit_notes.list({"invoice": str(row.invoice_id), "limit": 100}).auto_paging_iter()
    return any(row_of(note) == row.identifier for note in notes)


def row_of(note: stripe.CreditNote) -> str:
    """The identifier of the row that a credit note is of; empty for another one."""
    return str(note.metadata.to_dict().get(LATE, "")) if note.metadata else ""


def gave_back(invoice: Invoice, refund_id: str) -> bool:
    """Whether a refund is of such a credit note on the invoice. Asks Stripe."""
    notes = client().v1.credit_notes.list({"invoice": invoice.pk, "limit": 100}).auto_paging_iter()
    return any(str(one.refund) == refund_id for note in notes if row_of(note) for one in note.refunds or [])
