"""Refunds of top-ups and of invoices: an operator's here, or made at Stripe.

Of a top-up only credit that was not spent goes back: it leaves the balance first, then Stripe is told, under the refund's
own key; when Stripe says no it comes back. What was refunded at Stripe beyond the unspent credit is our loss, not a debt.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import stripe
from django.db import transaction
from django.db.models import F, Q, Sum
from django.utils.translation import gettext as _

from billing.earnings import take_backs
from billing.errors import MoneyInvalid
from billing.ledger import postings
from billing.ledger.kinds import AccountKind
from billing.money import NANOS_IN_CENT
from billing.stripe import earned, invoices, mirror, overbilled, taxes
from billing.stripe.client import client
from billing.stripe.models import Invoice, TopUp
from billing.stripe.returns import CreditNote, Refund, RefundState

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
            tax_cents=taxes.share(top_up.tax_cents, top_up.cents, *_went_back(Refund, top_up=top_up), cents),
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
        refund = _refund_invoice(invoice, cents, reason=reason, made_by=operator)
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
                    "amount": refund.gross_cents,
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


@dataclass(frozen=True, slots=True)
class _Seen:
    """A refund as Stripe shows it; the invoice that its payment was for, where it was made there; and whether it gives back
    usage that was billed too much."""

    refund: stripe.Refund
    invoice: Invoice | None = None
    unused: bool = False


def settle(refund_id: str) -> None:
    """A refund as Stripe says it is now: one that was made there is posted, one that failed is undone."""
    mirror.follow(refund_id, _seen, _write)


def _seen(refund_id: str) -> _Seen:
    found = client().v1.refunds.retrieve(refund_id)
    payment = str(found.payment_intent or "")
    if _ours(found) or TopUp.objects.filter(pk=payment).exists():
        return _Seen(found)
    invoice = invoices.paid_by(payment)
    return _Seen(found, invoice, invoice is not None and overbilled.gave_back(invoice, found.id))


def _ours(found: stripe.Refund) -> Refund | None:
    ours = (found.metadata.to_dict() if found.metadata else {}).get("refund", "")
    return Refund.objects.filter(pk=ours).first() or Refund.objects.filter(stripe_id=found.id).first()


def _write(seen: _Seen) -> None:
    found = seen.refund
    refund = _ours(found) or _adopt(seen)
    if refund is None:
        return
    Refund.objects.filter(pk=refund.pk, state=RefundState.WANTED).update(state=RefundState.SENT, stripe_id=found.id)
    if found.status in ("failed", "canceled"):
        _undo(refund)


def _adopt(seen: _Seen) -> Refund | None:
    """A refund that was made at Stripe, of one of our payments."""
    found = seen.refund
    about = {"reason": found.reason or "made at Stripe", "state": RefundState.SENT, "stripe_id": found.id}
    top_up = TopUp.objects.filter(pk=str(found.payment_intent or "")).first()
    if top_up is not None:
        return _refund_top_up(top_up, found.amount, **about)
    if seen.unused:
        about["reason"] = overbilled.MEMO
    return _refund_invoice(seen.invoice, found.amount, used=not seen.unused, **about) if seen.invoice else None


@transaction.atomic
def _refund_top_up(top_up: TopUp, gross: int, **about: Any) -> Refund:
    """So much of it went back, tax included, whether it was spent or not."""
    top_up = TopUp.objects.select_for_update().get(pk=top_up.pk)
    net, tax = _went_back(Refund, top_up=top_up)
    tax = taxes.share(top_up.tax_cents, top_up.cents + top_up.tax_cents, net + tax, tax, gross)
    owner = top_up.workspace_id
    refund = Refund.objects.create(workspace_id=owner, top_up=top_up, cents=gross - tax, tax_cents=tax, **about)
    postings.refund_top_up(owner, refund.nanos, refund.source, refund.reason, of=top_up.source, done=True)
    lost = postings.amount_of(refund.source, debit=AccountKind.REFUNDS)
    earned.of_top_up(top_up, lost, refund.source, refund.reason)
    _post_tax(refund)
    TopUp.objects.filter(pk=top_up.pk).update(refunded_cents=F("refunded_cents") + refund.cents)
    return refund


@transaction.atomic
def _refund_invoice(invoice: Invoice, gross: int, used: bool = True, **about: Any) -> Refund:
    """So much of it goes back, tax included. `used`: what was billed, so that somebody earned it."""
    tax = tax_of(invoice, gross)
    owner = invoice.workspace_id
    refund = Refund.objects.create(workspace_id=owner, invoice=invoice, cents=gross - tax, tax_cents=tax, **about)
    postings.refund_invoice(owner, refund.cents, tax, refund.source, refund.reason)
    Invoice.objects.filter(pk=invoice.pk).update(refunded_cents=F("refunded_cents") + gross)
    if used:
        earned.of_invoice(invoice, gross, refund.source, refund.reason)
    return refund


def tax_of(invoice: Invoice, gross: int) -> int:
    """The tax in so many cents of an invoice that go back, or are not owed. Locks the invoice."""
    Invoice.objects.select_for_update().get(pk=invoice.pk)
    back = [_went_back(rows, invoice=invoice) for rows in (Refund, CreditNote)]
    tax = sum(one for _net, one in back)
    return taxes.share(invoice.tax_cents, invoice.total_cents, sum(net for net, _tax in back) + tax, tax, gross)


def _went_back(rows: type[Refund] | type[CreditNote], **of: TopUp | Invoice) -> tuple[int, int]:
    """What went back of a payment, and stayed there: cents without tax, cents of tax."""
    stays = ~Q(state=RefundState.FAILED) if rows is Refund else ~Q(status="void")
    sums = rows._default_manager.filter(stays, **of).aggregate(
        n=Sum("cents", default=0), tax=Sum("tax_cents", default=0)
    )
    return sums["n"], sums["tax"]


def _post_tax(refund: Refund) -> None:
    tax, owner = refund.tax_cents, refund.workspace_id
    postings.charge(owner, f"{refund.source}:tax", tax_nanos=-tax * NANOS_IN_CENT, memo=refund.reason)
    postings.reverse_payment(owner, tax, f"{refund.source}:tax:paid", refund.reason)


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
            Invoice.objects.filter(pk=refund.invoice_id).update(refunded_cents=F("refunded_cents") - refund.gross_cents)
        take_backs.give_back(refund.source)
