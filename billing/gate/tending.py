"""A thread of each process that gives back what it was lent: what is idle, what is old, what another is short of."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Collection
from multiprocessing.util import Finalize

from django.conf import settings
from django.db import Error, close_old_connections, connections

from billing.gate import leases, purses, recall
from billing.gate.purses import Lent, Purse
from billing.ledger.parts import Parts

IDLE_S = 10.0  # an unused lease goes back after this
TEND_EVERY_S = 2.0
LISTEN_EVERY_S = 0.1  # for what other processes are short of
_starting = threading.Lock()
_closing = threading.Lock()  # what one thread is about to close is seen by the one that ends the process
_tender: threading.Thread | None = None
_process, _pid = "", 0


def process_name() -> str:
    """Who this process is, among all of all hosts; starts its tender where it does not run yet."""
    global _tender, _process, _pid
    if _tender is None or not _tender.is_alive() or _pid != os.getpid():
        with _starting:
            if _tender is None or not _tender.is_alive() or _pid != os.getpid():
                _pid = os.getpid()
                # Containers may agree in host and number.
                _process = f"{socket.gethostname()[:40]}:{_pid}:{secrets.token_hex(3)}"
                _tender = threading.Thread(target=_tend_forever, name="lease-tender", daemon=True)
                _tender.start()
                # A web process is multiprocessing's child, which runs these and nothing of atexit; others run both.
                Finalize(None, close_leases, exitpriority=100)
    return _process


def _tend_forever() -> None:
    tended_at = time.monotonic()
    while True:
        time.sleep(LISTEN_EVERY_S)
        if not purses.everyone():
            connections.close_all()  # of this thread
            continue
        now = time.monotonic()
        try:
            hand_back(recall.wanted(_process))
            if now - tended_at >= TEND_EVERY_S:
                tended_at = now
                tend(now)
                close_old_connections()
        except Error:
            close_old_connections()  # the store is away: leases stay open, and are tended or swept when it is back


def tend(now: float, all_of_them: bool = False) -> None:
    """Closes leases that are old, idle or `all_of_them` once nothing is held of them; keeps busy ones alive."""
    with _closing:
        for purse in purses.everyone():
            _tend(purse, now, all_of_them)
    purses.drop_empty(now - settings.LEASE_SECONDS)


def _tend(purse: Purse, now: float, all_of_them: bool) -> None:
    busy: list[Lent] = []
    with purse.lock:
        lent = purse.current
        if lent is not None and (all_of_them or now >= lent.retires_at or now - lent.used_at >= IDLE_S):
            purse.retire()
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


def hand_back(wanted: Collection[str]) -> None:
    """Gives back what is not held of these leases, and takes no new holds of them."""
    if wanted:
        with _closing:
            for purse in purses.everyone():
                _hand_back(purse, wanted)


def _hand_back(purse: Purse, wanted: Collection[str]) -> None:
    with purse.lock:
        if purse.current is not None and purse.current.lease_id in wanted:
            purse.retire()
        asked = [lent for lent in purse.retired if lent.lease_id in wanted]
        finished = [lent.lease_id for lent in asked if not lent.outstanding]
        purse.retired = [lent for lent in purse.retired if lent.lease_id not in finished]
        rests = [(lent.lease_id, lent.left) for lent in asked if lent.outstanding and lent.left.nanos]
        for lent in asked:
            lent.left = Parts()  # whatever becomes of the next lines, it is not spent here
    for lease_id in finished:
        leases.close(lease_id)
    for rest in rests:
        leases.shrink(*rest)


def close_leases(wait_s: float = 5.0) -> None:
    """Gives everything back at the end of the process; what is still held after `wait_s` is left to the sweeper."""
    end = time.monotonic() + wait_s
    while True:
        try:
            tend(time.monotonic(), all_of_them=True)
        except Error:
            return
        if time.monotonic() >= end or not any(purse.retired for purse in purses.everyone()):
            return
        time.sleep(0.05)
