"""Sends payouts: once each, whatever is lost or killed in between.

1. The destination is looked at anew.   2. In one transaction the payout becomes `sending` and leaves the balance.
3. Stripe is told, under a key that belongs to this attempt.   4. The answer is written down.
Who dies after 2 or 3 leaves a payout that is being sent; the next round looks for its transfer at Stripe (keys are kept
for a day only), and tells Stripe again under the same key. Only a refusal that says that nothing was sent ends an attempt.
"""

from __future__ import annotations

import logging
import random
from datetime import datetime, timedelta

import stripe

from billing.earnings import payouts
from billing.earnings.models import DestinationState, Payout, PayoutState
from billing.errors import StripeUnavailable
from billing.money import show
from billing.stripe import connect, mirror
from billing.stripe.client import client
from portal.accounts import mails

log = logging.getLogger(__name__)
LONGEST_PAUSE_S = 3600
FUNDS_PAUSE = timedelta(hours=6)  # the platform's balance at Stripe fills as customers' payments arrive


def send_due(now: datetime) -> int:
    """Brings open payouts on; how many were paid."""
    done = 0
    for payout in payouts.due(now):
        try:
            done += bring_on(payout, now)
        except StripeUnavailable:
            break
    return done


def bring_on(payout: Payout, now: datetime) -> bool:
    """One payout's next step; whether it is paid. Raises StripeUnavailable (503) where the destination is not known."""
    if payout.state == PayoutState.SENDING:
        if not payouts.claim(payout, now):
            return False
        found = _sent_before(payout)
        return _ended(payout, found) if found else _tell(payout, now)
    assert payout.destination is not None
    if connect.look(payout.destination).state != DestinationState.ACTIVE:
        if payouts.refused(payout, PayoutState.FAILED, "The account cannot receive money now."):
            _mail(payout, "publisher_payout_failed.txt")
        return False
    return payouts.begin(payout, now) and _tell(payout, now)


def _tell(payout: Payout, now: datetime) -> bool:
    assert payout.destination is not None
    try:
        made = client().v1.transfers.create(
            {
                "amount": payout.cents,
                "currency": "usd",
                "destination": payout.destination.stripe_id,
                "transfer_group": payout.pk,
                "description": "Mercato payout",
                "metadata": {"payout": payout.pk, "workspace": payout.seller_id},
            },
            {"idempotency_key": key(payout)},
        )
    except stripe.InvalidRequestError as error:
        return _refused(payout, error, now)
    except stripe.PermissionError as error:
        return _refused(payout, error, now)
    except stripe.StripeError as error:
        # Nobody knows whether it was sent: the same again later.
        pause = min(30 * 2.0 ** min(payout.calls, 8), LONGEST_PAUSE_S) * random.uniform(0.5, 1)  # noqa: S311 – jitter
        payouts.unsure(payout, type(error).__name__, now + timedelta(seconds=pause))
        return False
    return _ended(payout, str(made.id))


def key(payout: Payout) -> str:
    """The attempt's idempotency key. Stripe keeps a refusal under its key, so an attempt after one has another."""
    return f"payout-{payout.pk}" if payout.attempt == 1 else f"payout-{payout.pk}-{payout.attempt}"


def _sent_before(payout: Payout) -> str:
    """The id of the payout's transfer, if Stripe has one that was not reversed."""
    try:
        found = client().v1.transfers.list({"transfer_group": payout.pk, "limit": 10}).data
    except stripe.StripeError as error:
        raise StripeUnavailable("The payment service does not answer.") from error
    return next((str(transfer.id) for transfer in found), "")


def _ended(payout: Payout, transfer_id: str) -> bool:
    if not payouts.paid(payout, transfer_id):
        return False
    _mail(payout, "publisher_paid.txt")
    return True


def _refused(payout: Payout, error: stripe.StripeError, now: datetime) -> bool:
    """Stripe says that nothing was sent."""
    said = str(error.user_message or error)
    if error.code == "balance_insufficient":
        if payouts.refused(payout, PayoutState.WAITING, said, now + FUNDS_PAUSE):
            log.warning("payout %s waits: the platform's balance at Stripe is too low", payout.pk)
            mails.post_to_operators(f"payout:{payout.pk}:waits", "billing/payout_waits.txt", _words(payout))
    elif payouts.refused(payout, PayoutState.FAILED, said):
        log.warning("payout %s failed: %s", payout.pk, said)
        _mail(payout, "publisher_payout_failed.txt")
    return False


def changed(transfer_id: str) -> None:
    """A transfer of ours was changed at Stripe: what came back is the publisher's again."""
    mirror.follow(transfer_id, client().v1.transfers.retrieve, _write)


def _write(found: stripe.Transfer) -> None:
    payout = Payout.objects.filter(pk=found.transfer_group or "").first()
    if payout is None or not found.amount_reversed:
        return
    if payout.state == PayoutState.SENDING:
        _ended(payout, found.id)  # its reply was lost, and it has come back already
    payouts.sent_back(payout, int(found.amount_reversed))


def _mail(payout: Payout, template: str) -> None:
    mails.post(f"payout:{payout.pk}:{payout.state}", payout.seller_id, f"billing/{template}", _words(payout))


def _words(payout: Payout) -> dict[str, object]:
    return {"payout": payout, "amount": show(payout.nanos)}
