"""Holds: the most a request may cost is set aside before it runs, in memory, from a lease of this process.

A purse holds what this process was lent for one workspace (or for one capped key of it). The hot path is a lock and a
subtraction; the database is asked only when the purse is short, so a refusal always rests on fresh figures.
"""

from __future__ import annotations

import atexit
import os
import socket
import threading
import time
from dataclasses import dataclass, field

from django.conf import settings
from django.db import DatabaseError, close_old_connections

from billing.errors import StoreDown
from billing.gate import leases
from billing.gate.caps import is_capped

IDLE_S = 10.0  # an unused lease goes back after this
TEND_EVERY_S = 2.0
SOON_S = 1.0  # who borrows again within this is lent twice as much, …
MOST_BLOCKS = 64  # … up to so many of settings.LEASE_BLOCK_NANOS
DRY_S = 1.0  # how long a funding that could not cover a hold is passed over while another can


@dataclass(slots=True)
class Lent:
    """A lease of this process. Guarded by its purse's lock."""

    lease_id: str
    funding: str
    left_nanos: int
    retires_at: float  # time.monotonic()
    used_at: float
    extended_at: float
    outstanding: int = 0


@dataclass(slots=True)
class Purse:
    """What this process was lent for a workspace, by funding, and leases that only wait for their last requests."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    current: dict[str, Lent] = field(default_factory=dict)
    retired: list[Lent] = field(default_factory=list)
    dry_until: dict[str, float] = field(default_factory=dict)
    blocks: int = 1
    borrowed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Hold:
    """What is set aside for one request. The cost that is billed must not exceed `nanos`."""

    lease_id: str
    funding: str
    nanos: int
    purse: Purse | None = None
    lent: Lent | None = None


FREE = Hold("", "", 0)
_purses: dict[tuple[str, str], Purse] = {}
_tending = threading.Lock()
_tender: threading.Thread | None = None
_process = ""


def hold(workspace_id: str, key_id: str, most_nanos: int) -> Hold:
    """Sets `most_nanos` aside. Raises NoBudget (402) with what would fit, and StoreDown (503)."""
    if most_nanos <= 0:
        return FREE
    try:
        own_key = key_id if is_capped(key_id) else ""
        purse = _purses.get((workspace_id, own_key)) or _purses.setdefault((workspace_id, own_key), Purse())
        with purse.lock:
            now = time.monotonic()
            for funding in leases.FUNDINGS:
                lent = purse.current.get(funding)
                if lent is not None and lent.left_nanos >= most_nanos and now < lent.retires_at:
                    return _take(purse, lent, most_nanos, now)
                if now >= purse.dry_until.get(funding, 0.0):
                    break
            return _take(purse, _borrow(purse, workspace_id, own_key, most_nanos, now), most_nanos, now)
    except DatabaseError as error:
        raise StoreDown("The store is unavailable: try again shortly.", retry_after_s=1) from error


def settle(held: Hold, cost_nanos: int) -> None:
    """Ends a hold whose usage is on disk: what it did not cost can be held again."""
    if held.purse is None or held.lent is None:
        return
    with held.purse.lock:
        held.lent.outstanding -= 1
        held.lent.left_nanos += held.nanos - cost_nanos


def release(held: Hold) -> None:
    """Ends a hold that cost nothing."""
    settle(held, 0)


def abandon(held: Hold) -> None:
    """Ends a hold of which nobody knows whether its usage reached the disk: the events decide when the lease closes."""
    settle(held, held.nanos)


def _take(purse: Purse, lent: Lent, nanos: int, now: float) -> Hold:
    lent.left_nanos -= nanos
    lent.outstanding += 1
    lent.used_at = now
    return Hold(lent.lease_id, lent.funding, nanos, purse, lent)


def _borrow(purse: Purse, workspace_id: str, key_id: str, wanted: int, now: float) -> Lent:
    """A lease that covers `wanted`. Called with the purse's lock held: one borrower a purse."""
    _start_tender()
    for funding, lent in list(purse.current.items()):
        if now >= lent.retires_at:
            purse.retired.append(purse.current.pop(funding))
    own = {funding: (lent.lease_id, lent.left_nanos) for funding, lent in purse.current.items()}
    purse.blocks = min(purse.blocks * 2, MOST_BLOCKS) if now - purse.borrowed_at < SOON_S else 1
    purse.borrowed_at = now
    loan = leases.borrow(workspace_id, key_id, wanted, own, _process, purse.blocks * settings.LEASE_BLOCK_NANOS)
    for funding in leases.FUNDINGS[: leases.FUNDINGS.index(loan.funding)]:
        purse.dry_until[funding] = now + DRY_S
    found = purse.current.get(loan.funding)
    if found is not None and found.lease_id == loan.lease_id:
        found.left_nanos += loan.added_nanos
        return found
    # Half of its time in use: the other half is for its last requests and for closing it.
    used_for_s = min(settings.LEASE_SECONDS / 2, loan.ends_in_s)
    lent = Lent(loan.lease_id, loan.funding, loan.added_nanos, now + used_for_s, now, now)
    if found is not None:
        purse.retired.append(found)
    purse.current[loan.funding] = lent
    return lent


def _start_tender() -> None:
    global _tender, _process
    with _tending:
        if _tender is None or not _tender.is_alive():
            _process = f"{socket.gethostname()[:40]}:{os.getpid()}"
            _tender = threading.Thread(target=_tend_forever, name="lease-tender", daemon=True)
            _tender.start()
            atexit.register(close_leases)


def _tend_forever() -> None:
    while True:
        time.sleep(TEND_EVERY_S)
        try:
            tend(time.monotonic())
        except DatabaseError:
            pass  # the store is away: leases stay open, and are tended or swept when it is back
        finally:
            close_old_connections()


def tend(now: float, all_of_them: bool = False) -> None:
    """Closes leases that are old, idle or `all_of_them` once nothing is held of them; keeps busy ones alive."""
    for purse in list(_purses.values()):
        finished: list[Lent] = []
        busy: list[Lent] = []
        with purse.lock:
            for funding, lent in list(purse.current.items()):
                if all_of_them or now >= lent.retires_at or now - lent.used_at >= IDLE_S:
                    purse.retired.append(purse.current.pop(funding))
            finished = [lent for lent in purse.retired if not lent.outstanding]
            purse.retired = [lent for lent in purse.retired if lent.outstanding]
            for lent in purse.retired:
                if now - lent.extended_at >= settings.LEASE_SECONDS / 4:
                    lent.extended_at = now
                    busy.append(lent)
        for lent in busy:
            leases.extend(lent.lease_id)
        for lent in finished:
            leases.close(lent.lease_id)  # one that cannot be closed now is swept once it has expired


def close_leases(wait_s: float = 5.0) -> None:
    """Gives everything back at the end of the process; what is still held after `wait_s` is left to the sweeper."""
    end = time.monotonic() + wait_s
    while True:
        try:
            tend(time.monotonic(), all_of_them=True)
        except DatabaseError:
            return
        if time.monotonic() >= end or not any(purse.retired for purse in list(_purses.values())):
            return
        time.sleep(0.05)


def forget() -> None:
    """Drops all purses without closing their leases, as a killed process does."""
    _purses.clear()
