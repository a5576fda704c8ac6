"""The engines of this process: made and loaded when first needed, kept by replica, within a budget of memory."""

from __future__ import annotations

import gc
import threading
import time

from django.conf import settings

from inference.engines import registry
from inference.engines.engine import Engine, ReplicaSpec
from inference.routing import health
from marketplace.errors import ModelNotReady
from portal.kit.errors import Problem

RETRY_LOAD_S = 10.0  # a replica that could not be loaded is not tried again before

_engines: dict[str, Engine] = {}
_used: dict[str, float] = {}  # time.monotonic() of the last use
_failed: dict[str, tuple[float, Problem]] = {}
_loading: dict[str, threading.Lock] = {}
_guard = threading.Lock()


def engine_of(replica: ReplicaSpec) -> Engine:
    """The replica's engine, loaded; several threads that ask at once wait for one load. Raises ModelNotReady."""
    found = _engines.get(replica.id)
    if found is not None:
        _used[replica.id] = time.monotonic()
        return found
    with _guard:
        lock = _loading.setdefault(replica.id, threading.Lock())
    with lock:
        found = _engines.get(replica.id)
        if found is not None:
            return found
        failed = _failed.get(replica.id)
        if failed is not None and time.monotonic() < failed[0]:
            raise ModelNotReady(failed[1].message, retry_after_s=RETRY_LOAD_S)
        try:
            engine = registry.make(replica)
            engine.load()
            gc.freeze()  # it stays: the collector need not walk it again and again
        except Problem as problem:
            _failed[replica.id] = (time.monotonic() + RETRY_LOAD_S, problem)
            raise
        with _guard:
            _used[replica.id] = time.monotonic()
            _engines[replica.id] = engine
            _make_room(keep=replica.id)
        return engine


def is_loaded(replica_id: str) -> bool:
    """Whether this process can answer by the replica at once."""
    return replica_id in _engines


def is_full() -> bool:
    """Whether loading another model would push one out."""
    return sum(engine.memory_bytes for engine in list(_engines.values())) >= settings.MODEL_MEMORY_BYTES


def loaded() -> list[tuple[str, Engine]]:
    """The replicas that this process has engines for."""
    return list(_engines.items())


def _make_room(keep: str) -> None:
    """Unloads what was used least recently until the rest fits the budget; never what is at work."""
    while sum(engine.memory_bytes for engine in _engines.values()) > settings.MODEL_MEMORY_BYTES:
        idle = [r for r, e in _engines.items() if r != keep and e.memory_bytes and not health.of(r).outstanding]
        if not idle:
            return
        oldest = min(idle, key=lambda replica_id: _used.get(replica_id, 0.0))
        _engines.pop(oldest).unload()
        _used.pop(oldest, None)
