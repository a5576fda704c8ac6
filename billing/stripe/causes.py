"""What of ours moved Stripe's balance: `topup:pi_…`, `invoice:in_…`, `refund:refd_…`, `dispute:du_…`, `payout:payout_…`.

A charge that is none of ours is its own cause, `charge:ch_…`, and so are its refunds and disputes: nothing, in sum, if all went back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import stripe

from billing.earnings.models import Payout
from billing.stripe import disputes, invoices, refunds, topups, transfers
from billing.stripe.models import TopUp
from billing.stripe.returns import Dispute, Refund

FOREIGN = "charge:"
log = logging.getLogger(__name__)


def cause_of(thing: Any) -> str:
    """The cause of a balance transaction with this source; blank where we know none.

    Whose event was lost is settled first. Raises stripe.StripeError.
    """
    find = _FINDERS.get(getattr(thing, "object", ""))
    return find(thing) if find else ""


def ask(cause: str) -> None:
    """Settles it as Stripe says it is now; what Stripe does not know stays as it is. Raises stripe.StripeError."""
    kind, _, id = cause.partition(":")
    try:
        if kind in _SETTLERS:
            _SETTLERS[kind](id)
    except stripe.InvalidRequestError as error:
        log.warning("stripe does not tell of %s: %s", cause, error.user_message)


def _of_charge(charge: Any) -> str:
    intent = str(charge.payment_intent or "")
    if TopUp.objects.filter(pk=intent).exists() or (intent and topups.settle(intent)):
        return f"topup:{intent}"
    invoice = invoices.paid_by(intent)
    return f"invoice:{invoice.pk}" if invoice else f"{FOREIGN}{charge.id}"


def _of_refund(refund: Any) -> str:
    if not Refund.objects.filter(stripe_id=refund.id).exists():
        refunds.settle(refund.id)
    found = Refund.objects.filter(stripe_id=refund.id).first()
    return f"refund:{found.pk}" if found else f"{FOREIGN}{refund.charge}"


def _of_dispute(dispute: Any) -> str:
    known = Dispute.objects.filter(pk=dispute.id).exists() or disputes.settle(dispute.id)
    return f"dispute:{dispute.id}" if known else f"{FOREIGN}{dispute.charge}"


def _of_transfer(transfer: Any) -> str:
    payout = Payout.objects.filter(pk=transfer.transfer_group or "").first()
    return f"payout:{payout.pk}" if payout else ""


def _of_reversal(reversal: Any) -> str:
    payout = Payout.objects.filter(transfer_id=str(reversal.transfer)).first()
    return f"payout:{payout.pk}" if payout else ""


def _settle_refund(id: str) -> None:
    told = Refund.objects.filter(pk=id).exclude(stripe_id=None).first()
    if told is not None:
        refunds.settle(str(told.stripe_id))


def _settle_payout(id: str) -> None:
    sent = Payout.objects.filter(pk=id).exclude(transfer_id="").first()
    if sent is not None:
        transfers.changed(sent.transfer_id)


_FINDERS: dict[str, Callable[[Any], str]] = {
    "charge": _of_charge,
    "refund": _of_refund,
    "dispute": _of_dispute,
    "transfer": _of_transfer,
    "transfer_reversal": _of_reversal,
}
_SETTLERS: dict[str, Callable[[str], object]] = {
    "topup": topups.settle,
    "invoice": invoices.settle,
    "refund": _settle_refund,
    "dispute": disputes.settle,
    "payout": _settle_payout,
}
