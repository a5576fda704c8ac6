"""Earnings of usage whose payment went back are taken back.

A handler only writes down that a payment went back (`take_back`, in its own transaction); the earnings are taken when the
usage's hours have been accrued, one publisher a transaction. A publisher's balance may become negative; the next earnings
fill it.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from billing.earnings import agreements, usage
from billing.earnings.accrual import OPEN_FOR
from billing.earnings.models import WHOLE_BP, Earning
from billing.earnings.reversals import Reversal, ReversalState, TakeBack
from billing.ledger import postings
from billing.ledger.kinds import AccountKind
from billing.metering.sums import hour_of

# What may become of a reversal; nothing else may.
MOVES: dict[ReversalState, tuple[ReversalState, ...]] = {
    ReversalState.DUE: (ReversalState.TAKEN, ReversalState.RETURNING),
    ReversalState.TAKEN: (ReversalState.RETURNING,),
    ReversalState.RETURNING: (ReversalState.RETURNED,),
    ReversalState.RETURNED: (),
}


def take_back(
    workspace_id: str,
    start: datetime,
    end: datetime,
    share: tuple[int, int | None],
    source: str,
    reason: str,
    funding: str = AccountKind.RECEIVABLE.value,
) -> bool:
    """Takes the earnings of the workspace's usage from start to end back, by a share. False: written down before.

    `share`: (x, y) takes x/y, as a refund of x of an invoice's y cents does; (x, None) takes x nano-dollars out of all that
    the workspace used from that funding in the time, as a disputed top-up of which x was spent does. Shares of refunds of
    one payment must not sum to more than one. `source` begins with its kind (reversals.TOLD), which publishers are told;
    `reason` is for operators. Raises ValueError for a share that is none.
    """
    part, whole = share
    if part <= 0 or (whole is not None and part > whole) or start >= end:
        raise ValueError(f"{source}: {part} of {whole} from {start} to {end} is no share of anything")
    _known, new = Reversal.objects.get_or_create(
        source=source,
        defaults={
            "workspace_id": workspace_id, "funding": funding, "start": start, "end": end, "share": part, "whole": whole,
            "reason": reason[:200],
        },
    )  # fmt: skip
    return new


def give_back(source: str) -> bool:
    """The payment came again (a won dispute): so do the earnings. False where there is nothing to give."""
    before = (ReversalState.DUE, ReversalState.TAKEN)  # of what is due, a part may be taken
    return any(_move(source, state, ReversalState.RETURNING) for state in before)


def carry_out(now: datetime) -> int:
    """Takes and gives what is due; how many reversals. Of usage in hours that are not accrued yet, later."""
    due = Q(state=ReversalState.DUE, end__lte=hour_of(now - OPEN_FOR)) | Q(state=ReversalState.RETURNING)
    acts = {ReversalState.DUE: _take, ReversalState.RETURNING: _return}
    done = 0
    for reversal in Reversal.objects.filter(due).order_by("created_at"):
        acts[ReversalState(reversal.state)](reversal)
        done += 1
    return done


def _take(reversal: Reversal) -> None:
    """A crash in between leaves publishers done and publishers not done; the next round does the rest."""
    used = usage.of_payer(reversal.workspace_id, reversal.funding, reversal.start, reversal.end)
    whole = reversal.whole
    if whole is None:
        whole = usage.paid_nanos(reversal.workspace_id, reversal.funding, reversal.start, reversal.end)
    part = min(reversal.share, whole)
    for seller_id, hours in sorted(used.items()):
        rows = Earning.objects.filter(seller_id=seller_id, hour__gte=min(hours), hour__lte=max(hours))
        fees = dict(rows.values_list("hour", "fee_bp"))
        earned = sum(nanos * (WHOLE_BP - fees.get(hour, WHOLE_BP)) for hour, nanos in hours.items())
        nanos = earned * part // (WHOLE_BP * whole)  # down, so that what is taken never exceeds what was earned
        if nanos:
            _take_from(reversal, seller_id, nanos)
    _move(reversal.source, ReversalState.DUE, ReversalState.TAKEN)


def _take_from(reversal: Reversal, seller_id: str, nanos: int) -> None:
    with transaction.atomic():
        agreements.locked(seller_id)
        # Whoever gives the payment back meanwhile waits for this row, or this finds it moved on.
        if not Reversal.objects.select_for_update().filter(pk=reversal.pk, state=ReversalState.DUE).exists():
            return
        made, new = TakeBack.objects.get_or_create(
            reversal=reversal, seller_id=seller_id, defaults={"net_nanos": nanos}
        )
        if new:
            postings.take_back(seller_id, nanos, f"take_back:{made.pk}", reversal.why)


def _return(reversal: Reversal) -> None:
    for taken in reversal.take_backs.filter(returned_at=None).order_by("seller_id"):
        with transaction.atomic():
            agreements.locked(taken.seller_id)
            if TakeBack.objects.filter(pk=taken.pk, returned_at=None).update(returned_at=timezone.now()):
                postings.earn(taken.seller_id, taken.net_nanos, f"take_back:{taken.pk}:returned", reversal.why)
    _move(reversal.source, ReversalState.RETURNING, ReversalState.RETURNED)


def _move(source: str, before: ReversalState, after: ReversalState) -> bool:
    assert after in MOVES[before]
    return bool(Reversal.objects.filter(pk=source, state=before).update(state=after))
