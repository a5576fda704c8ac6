"""Payouts: made when due or asked for, taken out of the balance when they are about to be sent, ended once.

Who sends them is billing.stripe.transfers; here is what may become of one, and what that does to the balance. Whoever moves
a payout holds its publisher's row, and moves it from the state that was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Min, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import money
from billing.earnings import agreements
from billing.earnings.models import OPEN, Destination, DestinationState, Earning, Payout, PayoutState
from billing.errors import PayoutRefused
from billing.ledger import postings
from billing.ledger.balances import balance
from billing.money import NANOS_IN_CENT

S = PayoutState
LEASED_FOR = timedelta(minutes=2)  # a sender that fell silent: its payout is taken up again
# What may become of a payout; nothing else may.
MOVES: dict[PayoutState, tuple[PayoutState, ...]] = {
    S.PENDING: (S.SENDING, S.FAILED, S.CANCELED),
    S.SENDING: (S.PAID, S.WAITING, S.FAILED),  # waiting and failed only when Stripe surely sent nothing
    S.WAITING: (S.SENDING, S.FAILED, S.CANCELED),
    S.PAID: (S.RETURNED,),
    S.FAILED: (),
    S.CANCELED: (),
    S.RETURNED: (),
}


@dataclass(frozen=True, slots=True)
class Funds:
    """A publisher's money, nano-dollars. `owed` is all; of it `held` cannot be paid yet, and `open` is about to be sent."""

    owed_nanos: int
    held_nanos: int
    open_nanos: int
    next_at: datetime | None  # when the next of the held earnings become payable

    @property
    def available_nanos(self) -> int:
        """What can be paid out; negative: it was taken back, and the next earnings fill it."""
        return self.owed_nanos - self.held_nanos - self.open_nanos

    @property
    def available_cents(self) -> int:
        """The same in whole cents; the rest stays."""
        return max(self.available_nanos, 0) // NANOS_IN_CENT


def funds(seller_id: str, now: datetime) -> Funds:
    """What the publisher has."""
    held = Earning.objects.filter(seller_id=seller_id, matures_at__gt=now)
    sums = held.aggregate(nanos=Sum("net_nanos", default=0), next=Min("matures_at"))
    # What is being sent has left the balance; what waits has not.
    waiting = Payout.objects.filter(seller_id=seller_id, state__in=[S.PENDING, S.WAITING])
    return Funds(
        owed_nanos=balance(seller_id).payable_nanos,
        held_nanos=int(sums["nanos"]),
        open_nanos=int(waiting.aggregate(cents=Sum("cents", default=0))["cents"]) * NANOS_IN_CENT,
        next_at=sums["next"],
    )


def destination(seller_id: str) -> Destination | None:
    """Where the publisher's money goes, as far as we know."""
    return Destination.objects.filter(seller_id=seller_id).order_by("-chosen_at").first()


def minimum_cents(seller_id: str, now: datetime) -> int:
    """The least that is sent to the publisher at once: what they chose, at least what was agreed."""
    chosen = agreements.chosen(seller_id)
    return max(chosen.minimum_cents, agreements.terms(seller_id, now).minimum_cents)


def request(seller_id: str, now: datetime, due_on: date | None = None) -> Payout:
    """A payout of all that is available. `due_on`: the day of the schedule, which gives one.

    Raises PayoutRefused (409) with what is in the way; then nothing changed.
    """
    try:
        with transaction.atomic():
            agreements.locked(seller_id)
            if Payout.objects.filter(seller_id=seller_id, state__in=OPEN).exists():
                raise PayoutRefused(_("A payout is on its way already: wait until it has arrived."))
            to = destination(seller_id)
            if to is None or to.state != DestinationState.ACTIVE:
                raise PayoutRefused(_("Set up where the money goes first."))
            cents, least = funds(seller_id, now).available_cents, minimum_cents(seller_id, now)
            if cents < least:
                raise PayoutRefused(
                    _("%(available)s can be paid out, which is less than the smallest payout of %(least)s.")
                    % {"available": money.show(cents * NANOS_IN_CENT), "least": money.show(least * NANOS_IN_CENT)}
                )
            return Payout.objects.create(
                seller_id=seller_id, cents=cents, due_on=due_on, destination=to, next_call_at=now, created_at=now
            )
    except IntegrityError as error:
        raise PayoutRefused(_("A payout was made for this day already.")) from error


def begin(payout: Payout, now: datetime) -> bool:
    """Takes the payout out of the balance and marks it as being sent, in one transaction. False: somebody was faster.

    A payout that the balance does not cover any more (earnings were taken back) fails.
    """
    with transaction.atomic():
        agreements.locked(payout.seller_id)
        has = funds(payout.seller_id, now)
        if has.owed_nanos - has.held_nanos < payout.nanos:
            _move(payout, S.FAILED, error=_("The balance does not cover it any more: earnings were taken back."))
            return False
        next_attempt = {"attempt": payout.attempt + 1, "calls": payout.calls + 1, "next_call_at": now + LEASED_FOR}
        if not _move(payout, S.SENDING, error="", **next_attempt):
            return False
        postings.pay_out(payout.seller_id, payout.nanos, f"payout:{payout.pk}:{payout.attempt}", payout.pk)
    return True


def paid(payout: Payout, transfer_id: str) -> bool:
    """Stripe sent it."""
    return _move(payout, S.PAID, transfer_id=transfer_id, paid_at=timezone.now(), error="")


def unsure(payout: Payout, error: str, next_call_at: datetime) -> None:
    """Nobody knows whether Stripe sent it: it stays as it is until a later call."""
    mine = Payout.objects.filter(pk=payout.pk, state=S.SENDING, calls=payout.calls)
    mine.update(error=error[:300], next_call_at=next_call_at)


def refused(payout: Payout, after: PayoutState, error: str, next_call_at: datetime | None = None) -> bool:
    """Stripe surely did not send it: the money is the publisher's again. `after`: failed, or waiting for funds."""
    with transaction.atomic():
        agreements.locked(payout.seller_id)
        source = f"payout:{payout.pk}:{payout.attempt}:back"
        was_sending = payout.state == S.SENDING
        more = {"next_call_at": next_call_at} if next_call_at else {}
        if not _move(payout, after, error=error[:300], **more):
            return False
        if was_sending:
            postings.return_payout(payout.seller_id, payout.nanos, source, error)
    return True


def sent_back(payout: Payout, cents: int) -> bool:
    """Of the transfer, this much in all came back by now: it is the publisher's again. False: known before."""
    with transaction.atomic():
        agreements.locked(payout.seller_id)
        payout.refresh_from_db()
        more = min(cents, payout.cents) - payout.reversed_cents
        if more <= 0 or payout.state not in (S.PAID, S.RETURNED):
            return False
        payout.reversed_cents += more
        Payout.objects.filter(pk=payout.pk).update(reversed_cents=payout.reversed_cents)
        source = f"payout:{payout.pk}:reversed:{payout.reversed_cents}"
        postings.return_payout(payout.seller_id, more * NANOS_IN_CENT, source, "Stripe sent it back")
        if payout.reversed_cents == payout.cents:
            _move(payout, S.RETURNED)
    return True


def cancel(payout_id: str) -> Payout:
    """Ends a payout that is not being sent. Raises PayoutRefused (409)."""
    payout = Payout.objects.get(pk=payout_id)
    if payout.state not in (S.PENDING, S.WAITING) or not _move(payout, S.CANCELED):
        raise PayoutRefused(_("Only a payout that is not being sent yet can be canceled."))
    return payout


def retry(payout_id: str, now: datetime) -> Payout:
    """An open payout is tried again at once. Raises PayoutRefused (409)."""
    if not Payout.objects.filter(pk=payout_id, state__in=OPEN).update(next_call_at=now):
        raise PayoutRefused(_("This payout has ended: the next one takes what is available."))
    return Payout.objects.get(pk=payout_id)


def claim(payout: Payout, now: datetime) -> bool:
    """Takes a payout that is being sent for one more call: of two at once, one gets it."""
    mine = Payout.objects.filter(pk=payout.pk, state=S.SENDING, calls=payout.calls)
    if not mine.update(calls=payout.calls + 1, next_call_at=now + LEASED_FOR):
        return False
    payout.refresh_from_db()
    return True


def due(now: datetime) -> list[Payout]:
    """Open payouts whose time for a call has come."""
    return list(Payout.objects.filter(state__in=OPEN, next_call_at__lte=now).order_by("next_call_at")[:200])


def _move(payout: Payout, after: PayoutState, **change: Any) -> bool:
    """Conditional on what was read: of two moves at once, one happens."""
    if after not in MOVES[PayoutState(payout.state)]:
        return False
    mine = Payout.objects.filter(pk=payout.pk, state=payout.state, attempt=payout.attempt)
    if not mine.update(state=after, **change):
        return False
    payout.refresh_from_db()
    return True
