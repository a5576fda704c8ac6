"""Stripe's invoices: mirrored as they are, and posted once each for being final, paid, given up.

An invoice's lines are metered usage, which the receivable holds already, to the nano-dollar, since it was used; and the
rest: base fees, prorations, corrections. So a final invoice posts the rest, the tax, and the difference between the usage in
nano-dollars and its line in cents. When it is paid, what it billed is owed no more and only what was carried stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import stripe
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.ledger import postings
from billing.ledger.kinds import AccountKind
from billing.money import NANOS_IN_CENT, NANOS_IN_MICRO
from billing.plans import dunning
from billing.stripe import customers, earned, invoiced, mirror, taxes
from billing.stripe.client import client
from billing.stripe.models import Invoice
from billing.stripe.products import MICRO_DOLLAR_IN_CENTS
from portal.accounts.models import Workspace

FINAL = ("open", "paid", "uncollectible", "void")
UNPAID = ("open", "uncollectible")


@dataclass(frozen=True, slots=True)
class _Seen:
    """An invoice as Stripe shows it, and whose it is."""

    invoice: stripe.Invoice
    lines: list[stripe.InvoiceLineItem]
    workspace_id: str


def settle(invoice_id: str) -> None:
    """Mirrors and posts an invoice as it is now; nothing of another system's customer. A draft that was deleted goes."""
    mirror.follow(invoice_id, _seen, lambda seen: _write(invoice_id, seen))


def _seen(invoice_id: str) -> _Seen | None:
    try:
        found = client().v1.invoices.retrieve(invoice_id)
    except stripe.InvalidRequestError as error:
        if error.code != "resource_missing":
            raise
        return None
    workspace_id = customers.workspace_of(found)
    return _Seen(found, invoiced.all_lines(found), workspace_id) if workspace_id else None


def _write(invoice_id: str, seen: _Seen | None) -> None:
    if seen is None:
        Invoice.objects.filter(pk=invoice_id, status="draft").delete()
        return
    found = seen.invoice
    # What is unpaid is summed over all invoices of the workspace: one of them at a time.
    Workspace.objects.select_for_update(no_key=True).get(pk=seen.workspace_id)
    tax = sum(int(one.amount) for one in found.total_taxes or [])
    moments = found.status_transitions
    invoice, _new = Invoice.objects.update_or_create(
        stripe_id=found.id,
        defaults={
            "workspace_id": seen.workspace_id,
            "number": found.number or "",
            "status": found.status or "",
            "currency": found.currency,
            "total_cents": found.total,
            "tax_cents": tax,
            "due_cents": found.amount_due,
            "paid_cents": found.amount_paid,
            "noted_cents": found.pre_payment_credit_notes_amount,
            "period_start": moment(found.period_start),
            "period_end": moment(found.period_end),
            "lines": [_line(line) for line in seen.lines],
            "attempts": found.attempt_count,
            "hosted_url": found.hosted_invoice_url or "",
            "pdf_url": found.invoice_pdf or "",
            "created_at": moment(found.created),
            "finalized_at": moment(moments.finalized_at) if moments.finalized_at else None,
            "due_at": moment(found.due_date) if found.due_date else None,
            **invoiced.usage_of(seen.lines),
        },
    )
    if found.status in FINAL:
        _post(invoice)
    watch(seen.workspace_id)


def mirrored(invoice_id: str) -> Invoice | None:
    """The invoice, which what happened to it may reach us before. None for another system's customer."""
    known = Invoice.objects.filter(pk=invoice_id)
    if not known.exists():
        settle(invoice_id)
    return known.first()


def paid_by(intent_id: str) -> Invoice | None:
    """The invoice that a payment intent paid. None where it paid something else. Asks Stripe."""
    if not intent_id:
        return None
    paid = client().v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": intent_id}}).data
    return mirrored(str(paid[0].invoice)) if paid else None


def untaxed_cents(invoice: Invoice) -> int:
    """The tax of a void invoice that credit notes on it did not take out."""
    return invoice.tax_cents - taxes.share(invoice.tax_cents, invoice.total_cents, 0, 0, invoice.noted_cents)


def _post(invoice: Invoice) -> None:
    owner, name = invoice.workspace_id, f"invoice:{invoice.pk}"
    usage = [line for line in invoice.lines if line["usage"]]
    usage_cents = sum(line["cents"] for line in usage)
    used_nanos = sum(line["quantity"] for line in usage) * NANOS_IN_MICRO
    postings.charge(
        owner,
        f"{name}:charge",
        fee_nanos=(invoice.total_cents - invoice.tax_cents - usage_cents) * NANOS_IN_CENT,
        tax_nanos=invoice.tax_cents * NANOS_IN_CENT,
        rounding_nanos=usage_cents * NANOS_IN_CENT - used_nanos,
        memo=invoice.number,
    )
    forgiven = f"{name}:forgiven"
    if invoice.status == "paid":
        postings.pay_invoice(owner, invoice.paid_cents, f"{name}:paid")
        written_off = postings.amount_of(forgiven)
        if written_off:  # it was given up before, and came after all
            memo = _("%(invoice)s was paid after all") % {"invoice": invoice}
            postings.adjust(owner, AccountKind.RECEIVABLE, -written_off, f"{name}:unforgiven", memo)
    elif invoice.status in ("void", "uncollectible"):
        rest = max(invoice.total_cents - invoice.paid_cents - invoice.noted_cents, 0)
        postings.write_off(owner, rest * NANOS_IN_CENT, forgiven, f"{invoice} · {invoice.status}")
        if invoice.status == "void":  # what is only not paid is our risk, not the publishers', and its tax stays due
            tax = untaxed_cents(invoice) * NANOS_IN_CENT
            postings.charge(owner, f"{name}:untaxed", tax_nanos=-tax, rounding_nanos=tax, memo=invoice.number)
            earned.of_invoice(invoice, rest, f"{name}:void", str(invoice))


def watch(workspace_id: str) -> None:
    """Begins or ends dunning by what is unpaid after a failed attempt."""
    unpaid = list(
        Invoice.objects.filter(workspace_id=workspace_id, status__in=UNPAID, attempts__gt=0, due_cents__gt=0).order_by(
            "created_at", "pk"
        )
    )
    now = timezone.now()
    if not unpaid:
        dunning.end(workspace_id, now)
        return
    first = unpaid[0]
    due = sum(max(invoice.due_cents - invoice.paid_cents, 0) for invoice in unpaid)
    dunning.begin(workspace_id, first.pk, min(first.finalized_at or now, now), due, first.hosted_url)


def _line(line: stripe.InvoiceLineItem) -> dict[str, Any]:
    """A line as it is kept. `usage`: metered, and `quantity` is micro-dollars."""
    unit = line.pricing.unit_amount_decimal if line.pricing else None
    return {
        "id": line.id,
        "description": line.description or "",
        "cents": line.amount,
        "quantity": line.quantity or 0,
        "usage": unit is not None and Decimal(str(unit)) == MICRO_DOLLAR_IN_CENTS,
        "start": line.period.start,
        "end": line.period.end,
    }


def moment(seconds: Any) -> datetime:
    """A time of Stripe's."""
    return datetime.fromtimestamp(int(seconds), UTC)
