"""Loads live local models before the first visitor asks, on a thread of the web process.

Each version once: one that was pushed out since is loaded when it is asked, or two that do not fit would take turns.
"""

from __future__ import annotations

import logging
import threading
import time

from django.db import DatabaseError, close_old_connections

from inference.routing import pool, replicas
from marketplace.catalog.models import Model
from marketplace.catalog.resolve import Resolved, resolve
from marketplace.publishing.importing import HERE
from portal.kit.errors import Problem

EVERY_S = 2.0
MOST = 32  # models kept warm; others are loaded when first asked
log = logging.getLogger(__name__)
_warmed: set[str] = set()  # versions


def load(resolved: Resolved) -> None:
    """Loads the version where it runs in this process. Raises Problems of the engine."""
    for replica in replicas.of(resolved):
        if replica.engine in HERE:
            pool.engine_of(replica)


def start() -> None:
    """Starts the thread. The portal answers meanwhile."""
    threading.Thread(target=_keep_warm, name="warm-up", daemon=True).start()


def _keep_warm() -> None:
    while True:
        time.sleep(EVERY_S)
        try:
            _warm_once()
        except DatabaseError:
            pass  # the store is away: the next round tries again
        finally:
            close_old_connections()


def _warm_once() -> None:
    local = Model.objects.filter(live_version__engine__in=HERE).select_related("publisher", "live_version")
    for model in local.order_by("-live_version__created_at")[:MOST]:
        if model.live_version_id in _warmed:
            continue
        if pool.is_full():
            return
        try:
            resolved = resolve(model.slug, model.publisher_id)
            load(resolved)
            _warmed.add(resolved.version_id)
        except Problem as problem:
            if problem.retry_after_s is None:  # the first time; later ones are told to wait
                log.error("%s: %s", model.slug, problem.message)
