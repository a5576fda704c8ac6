"""Credit notes: what an invoice became less by.

One of an open invoice is owed no more; of a paid one it is credit for the customer's next invoice. Money that goes back to
the card is a refund of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import stripe

from billing.earnings import take_backs
from billing.ledger import postings
from billing.stripe import customers, earned, invoices, mirror, overbilled, refunds
from billing.stripe.client import client
from billing.stripe.models import Invoice
from billing.stripe.returns import CreditNote


@dataclass(frozen=True, slots=True)
class _Seen:
    """A credit note as Stripe shows it, and its invoice; none for another system's customer."""

    note: stripe.CreditNote
    invoice: Invoice | None

    @property
    def gross_cents(self) -> int:
        """What is owed less by it."""
        cents = self.note.pre_payment_amount
        if self.note.customer_balance_transaction:
            refunded = sum(one.amount_refunded for one in self.note.refunds or [])
            cents += self.note.post_payment_amount - refunded - (self.note.out_of_band_amount or 0)
        return cents


def settle(note_id: str) -> None:
    """Mirrors and posts a credit note as it is now."""
    mirror.follow(note_id, _seen, _write)


def _seen(note_id: str) -> _Seen:
    note = client().v1.credit_notes.retrieve(note_id)
    return _Seen(note, invoices.mirrored(str(note.invoice)) if customers.workspace_of(note) else None)


def _write(seen: _Seen) -> None:
    note, invoice = seen.note, seen.invoice
    if invoice is None:
        return
    owner, tax = invoice.workspace_id, refunds.tax_of(invoice, seen.gross_cents)
    about = {"workspace_id": owner, "invoice": invoice, "number": note.number, "status": note.status}
    amounts = {"cents": seen.gross_cents - tax, "tax_cents": tax, "created_at": invoices.moment(note.created)}
    row, _new = CreditNote.objects.update_or_create(
        stripe_id=note.id, defaults={"status": note.status}, create_defaults={**about, **amounts}
    )
    postings.credit_note(owner, row.cents, row.tax_cents, row.source, note.number)
    if not overbilled.row_of(note):
        earned.of_invoice(invoice, row.gross_cents, row.source, note.memo or note.number)
    if note.status == "void":
        take_backs.give_back(row.source)
        postings.restore_payment(owner, row.source, f"{row.source}:void", note.number)
