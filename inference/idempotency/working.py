"""Who is at work on an Idempotency-Key. A process says so again and again, so that an answer may take as long as it
takes, and that the key of a process that died is soon free.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from datetime import timedelta

from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils import timezone

from inference.idempotency.models import KeptAnswer
from portal.kit import processes

LEASE = timedelta(seconds=90)  # how long a process is believed that cannot be asked whether it lives
TEND_EVERY_S = 20.0
MOST_S = 3_600.0  # nothing takes longer: what is at work for so long was forgotten

_guard = threading.Lock()
_mine: dict[str, float] = {}  # id → when this process began to work on it
_tender: threading.Thread | None = None


def process() -> str:
    """This one, for others."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}"


def may_live(process: str) -> bool:
    """False where the process was on this machine and is gone."""
    host, _, number = process.rpartition(":")
    return host != socket.gethostname()[:40] or processes.lives(int(number))


def begin(row_id: str) -> None:
    """This process is at work on it until `end`."""
    global _tender
    with _guard:
        _mine[row_id] = time.monotonic()
        if _tender is None or not _tender.is_alive():
            _tender = threading.Thread(target=_tend_forever, name="idempotency-tender", daemon=True)
            _tender.start()


def end(row_id: str) -> None:
    """It is answered, or given up."""
    with _guard:
        _mine.pop(row_id, None)


def tend() -> int:
    """Says that this process is still at work on what it is at work on; how many."""
    now = time.monotonic()
    with _guard:
        for row_id in [row_id for row_id, began in _mine.items() if now - began > MOST_S]:
            del _mine[row_id]
        rows = [row_id for row_id, began in _mine.items() if now - began > TEND_EVERY_S / 2]
    if not rows:
        return 0
    return KeptAnswer.objects.filter(pk__in=rows, status=None).update(until=timezone.now() + LEASE)


def _tend_forever() -> None:
    while True:
        time.sleep(TEND_EVERY_S)
        try:
            tend()
        except (DatabaseError, InterfaceError):
            pass  # the store is away: it is said again when it is back
        finally:
            close_old_connections()
