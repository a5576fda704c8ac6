"""Asks replicas how they are where no request tells: ejected ones come back early, silent ones are found out."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from inference.engines.engine import Engine
from inference.routing import health, pool

EVERY_S = 2.0
AT_ONCE = 16
SILENT_S = 10.0  # a replica that answered nobody for so long is asked
log = logging.getLogger(__name__)


def start() -> None:
    """Starts the thread."""
    threading.Thread(target=_probe_forever, name="probes", daemon=True).start()


def probe_once(now: float) -> None:
    """Asks the ejected and the silent replicas that run elsewhere."""
    asked = [
        (health.of(replica_id), engine)
        for replica_id, engine in pool.loaded()
        if not engine.memory_bytes
        and (health.of(replica_id).ejected() or now - health.of(replica_id).answered_at > SILENT_S)
    ]
    if asked:
        with ThreadPoolExecutor(min(len(asked), AT_ONCE)) as threads:  # one that is silent holds no other up
            list(threads.map(lambda pair: _probe(pair[0], pair[1], now), asked))


def _probe(state: health.Health, engine: Engine, now: float) -> None:
    state.begin()
    try:
        alive = engine.alive()
    except BaseException:
        state.left()
        raise
    if alive:
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
