"""Disputes: a bank takes a payment back, and perhaps returns it.

What is left of disputed credit goes first; the rest is owed, which stops postpaid usage. While one is open nothing is
bought by itself. The earnings of what was spent of it are taken back.
"""

from __future__ import annotations

from dataclasses import dataclass

import stripe

from billing import money
from billing.credit import recharge
from billing.earnings import take_backs
from billing.ledger import postings
from billing.ledger.kinds import AccountKind
from billing.money import NANOS_IN_CENT
from billing.stripe import customers, earned, invoices, mirror
from billing.stripe.client import client
from billing.stripe.invoices import moment
from billing.stripe.models import Invoice, TopUp
from billing.stripe.returns import Dispute
from portal.accounts import mails

WITHDRAWN = ("needs_response", "under_review", "lost", "won")  # warnings and prevented ones move no money


@dataclass(frozen=True, slots=True)
class _Seen:
    """A dispute as Stripe shows it, whose it is, and the invoice that was paid, if it was one."""

    dispute: stripe.Dispute
    workspace_id: str | None
    invoice: Invoice | None


def settle(dispute_id: str) -> Dispute | None:
    """Mirrors and posts a dispute as it is now. None for another system's customer."""
    mirror.follow(dispute_id, _seen, _write)
    return Dispute.objects.filter(pk=dispute_id).first()


def _seen(dispute_id: str) -> _Seen:
    found = client().v1.disputes.retrieve(dispute_id, {"expand": ["charge"]})
    workspace_id, payment = customers.workspace_of(found.charge), str(found.payment_intent or "")
    if workspace_id is None or TopUp.objects.filter(pk=payment).exists():
        return _Seen(found, workspace_id, None)
    return _Seen(found, workspace_id, invoices.paid_by(payment))


def _write(seen: _Seen) -> None:
    found, workspace_id = seen.dispute, seen.workspace_id
    if workspace_id is None:
        return
    dispute, new = Dispute.objects.update_or_create(
        stripe_id=found.id,
        defaults={
            "workspace_id": workspace_id,
            "payment": str(found.payment_intent or ""),
            "cents": found.amount,
            "reason": found.reason,
            "status": found.status,
            "answer_until": moment(found.evidence_details.due_by) if found.evidence_details.due_by else None,
            "created_at": moment(found.created),
        },
    )
    if found.status in WITHDRAWN:
        _withdraw(dispute, seen.invoice)
    if found.status == "won":
        source = _source(dispute)
        postings.restore_payment(workspace_id, source, f"{source}:won", dispute.reason)
        take_backs.give_back(source)
    if new:
        recharge.pause(workspace_id)
        context = {"dispute": dispute, "amount": money.show(dispute.cents * NANOS_IN_CENT)}
        mails.post_to_operators(f"dispute:{dispute.pk}", "billing/dispute.txt", context)


def _withdraw(dispute: Dispute, invoice: Invoice | None) -> None:
    owner, source = dispute.workspace_id, _source(dispute)
    top_up = TopUp.objects.filter(pk=dispute.payment).first()
    if not postings.reverse_payment(owner, dispute.cents, source, dispute.reason, from_credit=top_up is not None):
        return
    if top_up is not None:
        spent = postings.amount_of(source, debit=AccountKind.RECEIVABLE)
        earned.of_top_up(top_up, spent, source, dispute.reason)
    elif invoice is not None:
        earned.of_invoice(invoice, dispute.cents, source, dispute.reason)


def _source(dispute: Dispute) -> str:
    return f"dispute:{dispute.pk}"
