"""Holds: the most a request may cost is set aside before it runs, in memory, from a lease of this process.

A purse holds what this process was lent for one workspace (or for one capped key or member of it). The hot path is a
lock and a subtraction; the database is asked only when the purse is short, so a refusal always rests on fresh figures.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.conf import settings
from django.db import Error

from billing.errors import NoBudget, StoreDown
from billing.gate import leases, purses, recall, shortage, tending
from billing.gate.binding import Binding, binding_of
from billing.gate.purses import Lent, Purse
from billing.gate.refusal import LentElsewhere
from billing.ledger.kinds import AccountKind

SOON_S = 1.0  # who borrows again within this is lent twice as much, …
MOST_BLOCKS = 64  # … up to so many of settings.LEASE_BLOCK_NANOS
DRY_S = 1.0  # how long a means that could not cover a hold is passed over while another can
ASK_S = 0.3  # how long a hold waits for what other purses have not spent
LOOK_EVERY_S = 0.03  # while it waits
PROMO = AccountKind.PROMO.value
WITHOUT_PROMO = {leases.PREPAID: AccountKind.CREDIT.value, leases.POSTPAID: AccountKind.RECEIVABLE.value}


@dataclass(frozen=True, slots=True)
class Hold:
    """What is set aside for one request. The cost that is billed must not exceed `nanos`.

    `promo_nanos` of it are promotional credit, which pays first; then `funding` is that, and bought credit pays the rest.
    """

    funding: str  # ledger account kind
    nanos: int
    promo_nanos: int = 0
    purse: Purse | None = None
    lent: Lent | None = None

    @property
    def lease_id(self) -> str:
        """What its usage names; blank where it is free."""
        return self.lent.lease_id if self.lent is not None else ""


FREE = Hold("", 0)


def hold(workspace_id: str, key_id: str, most_nanos: int) -> Hold:
    """Sets `most_nanos` aside. Raises NoBudget (402) with what would fit, and StoreDown (503)."""
    if most_nanos <= 0:
        return FREE
    try:
        bound = binding_of(workspace_id, key_id)
        while True:
            purse = purses.of(bound)
            with purse.lock:
                if not purse.dropped:  # else the tender took it for empty
                    return _hold(purse, bound, most_nanos)
    except Error as error:
        raise StoreDown("The store is unavailable: try again shortly.", retry_after_s=1) from error


def _hold(purse: Purse, bound: Binding, most_nanos: int) -> Hold:
    """Called with the purse's lock held, which is free while it waits for what others give back."""
    waits_until = None
    while True:
        now = time.monotonic()
        for means in leases.MEANS:
            lent = purse.current.get(means)
            if lent is not None and lent.left_nanos >= most_nanos and now < lent.retires_at:
                return _take(lent, most_nanos, now, purse)
            if now >= purse.dry_until.get(means, 0.0):
                break
        try:
            lent = _borrow(purse, bound, most_nanos, now)
        except NoBudget as refused:
            if waits_until is None:
                waits_until, asks = _ask(purse, refused, now)
            if now >= waits_until:
                if refused.details.get("limited_by") == "balance" and shortage.helped(bound.workspace_id):
                    continue
                raise
            purse.more.wait(min(LOOK_EVERY_S if asks else ASK_S, waits_until - now))
        else:
            if waits_until is not None:
                purse.more.notify_all()
            return _take(lent, most_nanos, now, purse)


def _ask(purse: Purse, refused: NoBudget, now: float) -> tuple[float, bool]:
    """Until when to wait for what others have not spent, and whether this is who asks them, and looks for it."""
    if not isinstance(refused, LentElsewhere):
        return now, False
    if now - purse.asked_at >= purses.ASK_EVERY_S:
        recall.ask(refused.leases)
        purse.asked_at = now
        return now + ASK_S, True
    return purse.asked_at + ASK_S, False


def settle(held: Hold, cost_nanos: int) -> None:
    """Ends a hold whose usage is on disk: what it did not cost can be held again."""
    if held.purse is None or held.lent is None:
        return
    with held.purse.lock:
        held.lent.outstanding -= 1
        held.lent.left_nanos += held.nanos - cost_nanos
        if held.promo_nanos > cost_nanos:
            held.lent.promo_nanos += held.promo_nanos - cost_nanos


def release(held: Hold) -> None:
    """Ends a hold that cost nothing."""
    settle(held, 0)


def abandon(held: Hold) -> None:
    """Ends a hold of which nobody knows whether its usage reached the disk: the events decide when the lease closes."""
    settle(held, held.nanos)


def _take(lent: Lent, nanos: int, now: float, purse: Purse) -> Hold:
    lent.left_nanos -= nanos
    lent.outstanding += 1
    lent.used_at = now
    if lent.promo_nanos:
        promo = nanos if nanos < lent.promo_nanos else lent.promo_nanos
        lent.promo_nanos -= promo
        return Hold(PROMO, nanos, promo, purse, lent)
    return Hold(WITHOUT_PROMO[lent.means], nanos, 0, purse, lent)


def _borrow(purse: Purse, bound: Binding, wanted: int, now: float) -> Lent:
    """A lease that covers `wanted`. Called with the purse's lock held: one borrower a purse."""
    for means, lent in list(purse.current.items()):
        if now >= lent.retires_at:
            purse.retire(means)
    own = {means: (lent.lease_id, lent.left_nanos) for means, lent in purse.current.items()}
    purse.blocks = min(purse.blocks * 2, MOST_BLOCKS) if now - purse.borrowed_at < SOON_S else 1
    purse.borrowed_at = now
    block = purse.blocks * settings.LEASE_BLOCK_NANOS
    loan = leases.borrow(bound, wanted, own, tending.process_name(), block)
    for means in leases.MEANS[: leases.MEANS.index(loan.means)]:
        purse.dry_until[means] = now + DRY_S
    found = purse.current.get(loan.means)
    if found is not None and found.lease_id == loan.lease_id:
        found.left_nanos += loan.added_nanos
        found.promo_nanos += loan.promo_nanos
        return found
    # Half of its time in use: the other half is for its last requests and for closing it.
    used_for_s = min(settings.LEASE_SECONDS / 2, loan.ends_in_s)
    lent = Lent(loan.lease_id, loan.means, loan.added_nanos, loan.promo_nanos, now + used_for_s, now, now)
    if found is not None:
        purse.retire(loan.means)
    purse.current[loan.means] = lent
    return lent
