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
from billing.ledger.parts import Parts

SOON_S = 1.0  # who borrows again within this is lent twice as much, …
MOST_BLOCKS = 64  # … up to so many of settings.LEASE_BLOCK_NANOS
ASK_S = 0.3  # how long a hold waits for what other purses have not spent
LOOK_EVERY_S = 0.03  # while it waits


@dataclass(frozen=True, slots=True)
class Hold:
    """What is set aside for one request, by what pays it. The cost that is billed must not exceed all together."""

    parts: Parts
    purse: Purse | None = None
    lent: Lent | None = None

    @property
    def nanos(self) -> int:
        """The most that may be billed."""
        return self.parts.nanos

    @property
    def funding(self) -> str:
        """The account kind that pays first; blank where it is free."""
        return self.parts.funding

    @property
    def lease_id(self) -> str:
        """What its usage names; blank where it is free."""
        return self.lent.lease_id if self.lent is not None else ""


FREE = Hold(Parts())


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
        lent = purse.current
        if lent is not None and lent.left.nanos >= most_nanos and now < lent.retires_at:
            return _take(lent, most_nanos, now, purse)
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
        held.lent.left = held.lent.left.plus(held.parts.split(cost_nanos)[1])


def release(held: Hold) -> None:
    """Ends a hold that cost nothing."""
    settle(held, 0)


def abandon(held: Hold) -> None:
    """Ends a hold of which nobody knows whether its usage reached the disk: the events decide when the lease closes."""
    settle(held, held.nanos)


def _take(lent: Lent, nanos: int, now: float, purse: Purse) -> Hold:
    parts, lent.left = lent.left.split(nanos)
    lent.outstanding += 1
    lent.used_at = now
    return Hold(parts, purse, lent)


def _borrow(purse: Purse, bound: Binding, wanted: int, now: float) -> Lent:
    """A lease that covers `wanted`. Called with the purse's lock held: one borrower a purse."""
    if purse.current is not None and now >= purse.current.retires_at:
        purse.retire()
    own = purse.current
    purse.blocks = min(purse.blocks * 2, MOST_BLOCKS) if now - purse.borrowed_at < SOON_S else 1
    purse.borrowed_at = now
    block = purse.blocks * settings.LEASE_BLOCK_NANOS
    loan = leases.borrow(bound, wanted, own, tending.process_name(), block)
    if own is not None and own.lease_id == loan.lease_id:
        own.left = own.left.plus(loan.added)
        return own
    # Half of its time in use: the other half is for its last requests and for closing it.
    used_for_s = min(settings.LEASE_SECONDS / 2, loan.ends_in_s)
    purse.retire()  # it was closed: its process was taken for dead
    purse.current = Lent(loan.lease_id, loan.added, now + used_for_s, now, now)
    return purse.current
