"""Asks replicas how they are where no request tells: ejected ones come back early, silent ones are found out."""

from __future__ import annotations

import logging
import threading
import time

from inference.routing import health, pool

EVERY_S = 2.0
SILENT_S = 10.0  # a replica that answered nobody for so long is asked
log = logging.getLogger(__name__)


def start() -> None:
    """Starts the thread."""
    threading.Thread(target=_probe_forever, name="probes", daemon=True).start()


def probe_once(now: float) -> None:
    """Asks the ejected and the silent replicas that run elsewhere."""
    for replica_id, engine in pool.loaded():
        state = health.of(replica_id)
        if engine.memory_bytes or not (state.ejected() or now - state.answered_at > SILENT_S):
            continue
        state.begin()
        if engine.alive():
            state.left()
            state.readmitted()
            state.answered_at = now
        else:
            state.failed()


def _probe_forever() -> None:
    while True:
        time.sleep(EVERY_S)
        try:
            probe_once(time.monotonic())
        except Exception:  # a probe must not end the thread that probes
            log.exception("probing failed")
