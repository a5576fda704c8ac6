"""Refunds of top-ups and of invoices: an operator's here, or made at Stripe.

Of a top-up only credit that was not spent goes back: it leaves the balance first, then Stripe is told, under the refund's
own key; when Stripe says no it comes back. What was refunded at Stripe beyond the unspent credit is our loss, not a debt.
"""

from __future__ import annotations

import logging

import stripe
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from billing.earnings import take_backs
from billing.errors import MoneyInvalid
from billing.ledger import postings
from billing.ledger.balances import balance
from billing.ledger.kinds import AccountKind
from billing.money import NANOS_IN_CENT
from billing.stripe import customers, earned, invoices
from billing.stripe.client import client
from billing.stripe.models import Invoice, TopUp
from billing.stripe.returns import Refund, RefundState

log = logging.getLogger(__name__)


def of_top_up(top_up: TopUp, cents: int, reason: str, operator: str) -> Refund:
    """Sends unspent credit of a purchase back to its card, with its share of the tax.

    Raises MoneyInvalid (422) beyond what was paid or without a reason, NotEnoughCredit (409) beyond what is unspent; then
    nothing has changed.
    """
    with transaction.atomic():
        top_up = TopUp.objects.select_for_update().get(pk=top_up.pk)
        _check(cents, top_up.cents - top_up.refunded_cents, reason, paid=top_up.status == "succeeded")
        refund = Refund.objects.create(
            workspace_id=top_up.workspace_id,
            top_up=top_up,
            cents=cents,
            tax_cents=_tax(top_up, cents),
            reason=reason,
            made_by=operator,
        )
        postings.refund_top_up(top_up.workspace_id, refund.nanos, refund.source, reason, of=top_up.source)
        _post_tax(refund)
        TopUp.objects.filter(pk=top_up.pk).update(refunded_cents=F("refunded_cents") + cents)
        transaction.on_commit(send_due)  # the row is there before Stripe hears of it
    refund.refresh_from_db()
    return refund


def of_invoice(invoice: Invoice, cents: int, reason: str, operator: str) -> Refund:
    """Sends money of a paid invoice back to its card. Raises MoneyInvalid (422); then nothing has changed."""
    with transaction.atomic():
        invoice = Invoice.objects.select_for_update().get(pk=invoice.pk)
        _check(cents, invoice.paid_cents - invoice.refunded_cents, reason, paid=invoice.status == "paid")
        refund = Refund.objects.create(
            workspace_id=invoice.workspace_id, invoice=invoice, cents=cents, reason=reason, made_by=operator
        )
        _post_invoice(refund, invoice)
        transaction.on_commit(send_due)
    refund.refresh_from_db()
    return refund


def _check(cents: int, most: int, reason: str, paid: bool) -> None:
    if not reason.strip():
        raise MoneyInvalid(_("Say why: the reason is kept with the refund."), param="reason")
    if not paid or not 0 < cents <= most:
        told = {"most": f"${max(most, 0) / 100:.2f}"}
        raise MoneyInvalid(_("Choose an amount up to %(most)s, of a payment that succeeded.") % told, param="amount")


def send_due() -> int:
    """Tells Stripe of refunds that it does not know yet; how many it took. A lost reply is asked for again."""
    sent = 0
    for refund in Refund.objects.filter(state=RefundState.WANTED).select_related("top_up").order_by("created_at")[:100]:
        try:
            made = client().v1.refunds.create(
                {
                    "payment_intent": _payment_of(refund),
                    "amount": refund.cents + refund.tax_cents,
                    "reason": "requested_by_customer",
                    "metadata": {"refund": refund.pk},
                },
                {"idempotency_key": refund.source},
            )
        except stripe.InvalidRequestError as error:
            log.error("%s was refused: %s", refund.pk, error.user_message)
            _undo(refund)
            continue
        except stripe.StripeError:
            continue  # told again under the same key
        sent += Refund.objects.filter(pk=refund.pk, state=RefundState.WANTED).update(
            state=RefundState.SENT, stripe_id=made.id
        )
    return sent


def _payment_of(refund: Refund) -> str:
    if refund.top_up_id:
        return str(refund.top_up_id)
    paid = client().v1.invoice_payments.list({"invoice": str(refund.invoice_id), "status": "paid"}).data
    return str(paid[0].payment.payment_intent) if paid else ""


def settle(refund_id: str) -> None:
    """A refund as Stripe says it is now: one that was made there is posted, one that failed is undone."""
    found = client().v1.refunds.retrieve(refund_id)
    ours = (found.metadata.to_dict() if found.metadata else {}).get("refund", "")
    refund = Refund.objects.filter(pk=ours).first() or Refund.objects.filter(stripe_id=found.id).first()
    if refund is None:
        refund = _adopt(found)
    if refund is None:
        return
    Refund.objects.filter(pk=refund.pk, state=RefundState.WANTED).update(state=RefundState.SENT, stripe_id=found.id)
    if found.status in ("failed", "canceled"):
        _undo(refund)


def _adopt(found: stripe.Refund) -> Refund | None:
    """A refund that was made at Stripe, of one of our payments."""
    payment = str(found.payment_intent or "")
    top_up = TopUp.objects.select_for_update().filter(pk=payment).first()
    about = {"reason": found.reason or "made at Stripe", "state": RefundState.SENT, "stripe_id": found.id}
    if top_up is not None:
        tax = _tax(top_up, found.amount)
        refund = Refund.objects.create(
            workspace_id=top_up.workspace_id, top_up=top_up, cents=found.amount - tax, tax_cents=tax, **about
        )
        unspent = min(balance(top_up.workspace_id).credit_nanos, refund.nanos)
        if unspent:
            postings.refund_top_up(top_up.workspace_id, unspent, refund.source, about["reason"], of=top_up.source)
        lost = (refund.nanos - unspent) // NANOS_IN_CENT
        postings.refund_invoice(top_up.workspace_id, lost, f"{refund.source}:spent", about["reason"])
        earned.of_top_up(top_up, refund.nanos - unspent, refund.source, about["reason"])
        _post_tax(refund)
        TopUp.objects.filter(pk=top_up.pk).update(refunded_cents=F("refunded_cents") + refund.cents)
        return refund
    paid = client().v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": payment}}).data
    invoice = invoices.mirrored(str(paid[0].invoice)) if paid and payment else None
    if invoice is None:
        return None
    refund = Refund.objects.create(workspace_id=invoice.workspace_id, invoice=invoice, cents=found.amount, **about)
    _post_invoice(refund, invoice)
    return refund


def _tax(top_up: TopUp, cents: int) -> int:
    """The tax that goes back with `cents` of credit: its share, rounded down, and all of the rest with the last cent."""
    before = top_up.tax_cents * top_up.refunded_cents // max(top_up.cents, 1)
    return top_up.tax_cents * min(top_up.refunded_cents + cents, top_up.cents) // max(top_up.cents, 1) - before


def _post_tax(refund: Refund) -> None:
    tax, owner = refund.tax_cents, refund.workspace_id
    postings.charge(owner, f"{refund.source}:tax", tax_nanos=-tax * NANOS_IN_CENT, memo=refund.reason)
    postings.reverse_payment(owner, tax, f"{refund.source}:tax:paid", refund.reason)


def _post_invoice(refund: Refund, invoice: Invoice) -> None:
    postings.refund_invoice(invoice.workspace_id, refund.cents, refund.source, refund.reason)
    Invoice.objects.filter(pk=invoice.pk).update(refunded_cents=F("refunded_cents") + refund.cents)
    earned.of_invoice(invoice, refund.cents, refund.source, refund.reason)


def _undo(refund: Refund) -> None:
    """The money is with us again."""
    with transaction.atomic():
        if not Refund.objects.filter(pk=refund.pk).exclude(state=RefundState.FAILED).update(state=RefundState.FAILED):
            return
        for source in (refund.source, f"{refund.source}:spent", f"{refund.source}:tax", f"{refund.source}:tax:paid"):
            postings.restore_payment(refund.workspace_id, source, f"{source}:undone", refund.reason)
        if refund.top_up_id:
            TopUp.objects.filter(pk=refund.top_up_id).update(refunded_cents=F("refunded_cents") - refund.cents)
        else:
            Invoice.objects.filter(pk=refund.invoice_id).update(refunded_cents=F("refunded_cents") - refund.cents)
        take_backs.give_back(refund.source)


def settle_note(note_id: str) -> None:
    """A credit note: of an open invoice, which is less then; or credit for the customer's next one. Money that goes back is
    a refund of its own."""
    note = client().v1.credit_notes.retrieve(note_id)
    workspace_id = customers.workspace_of(note)
    if workspace_id is None:
        return
    cents, source = note.pre_payment_amount, f"note:{note.id}"
    if note.customer_balance_transaction:
        cents += note.post_payment_amount - sum(one.amount_refunded for one in note.refunds or [])
    postings.credit_note(workspace_id, cents, source, note.number)
    invoice = invoices.mirrored(str(note.invoice))
    if invoice is not None:
        earned.of_invoice(invoice, cents, source, note.memo or note.number)
    if note.status == "void":
        take_backs.give_back(source)
        undone = f"{source}:void"
        postings.adjust(workspace_id, AccountKind.RECEIVABLE, -cents * NANOS_IN_CENT, undone, note.number)
