"""The engines of this process: made and loaded when first needed, kept by replica, within a budget of memory."""

from __future__ import annotations

import gc
import threading
import time

from django.conf import settings

from inference.engines import registry
from inference.engines.engine import Engine, ReplicaSpec
from inference.errors import Unloadable
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
    """The replica's engine, loaded; several threads that ask at once wait for one load. Raises Unloadable.

    Who will use it begins on the replica's health before asking: until they end there, it is not unloaded.
    """
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
            raise Unloadable(failed[1].message, retry_after_s=RETRY_LOAD_S)
        try:
            engine = registry.make(replica)
            engine.load()
            gc.freeze()  # it stays: the collector need not walk it again and again
        except Problem as problem:
            _failed[replica.id] = (time.monotonic() + RETRY_LOAD_S, problem)
            if isinstance(problem, ModelNotReady):
                raise Unloadable(problem.message, retry_after_s=problem.retry_after_s) from problem
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
    """Unloads what was used least recently until the rest fits the budget; never what is at work. Holds _guard."""
    others = [replica_id for replica_id, engine in _engines.items() if replica_id != keep and engine.memory_bytes]
    for replica_id in sorted(others, key=lambda one: _used.get(one, 0.0)):
        if sum(engine.memory_bytes for engine in _engines.values()) <= settings.MODEL_MEMORY_BYTES:
            return
        with _loading[replica_id]:  # who asks for it meanwhile waits, and finds it or loads it again
            engine = _engines.pop(replica_id)
            # Its users began before they found it, so who found it before it was taken out is counted by now.
            if health.of(replica_id).outstanding:
                _engines[replica_id] = engine
            else:
                engine.unload()
                del engine
                gc.unfreeze()  # what it leaves are cycles
                gc.collect()
                gc.freeze()
