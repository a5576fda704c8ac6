"""The engines of this process: made and loaded when first needed, kept by replica."""

from __future__ import annotations

import threading
import time

from inference.engines import registry
from inference.engines.engine import Engine, ReplicaSpec
from marketplace.errors import ModelNotReady
from portal.kit.errors import Problem

RETRY_LOAD_S = 10.0  # a replica that could not be loaded is not tried again before

_engines: dict[str, Engine] = {}
_failed: dict[str, tuple[float, Problem]] = {}
_loading: dict[str, threading.Lock] = {}
_guard = threading.Lock()


def engine_of(replica: ReplicaSpec) -> Engine:
    """The replica's engine, loaded; several threads that ask at once wait for one load. Raises ModelNotReady."""
    found = _engines.get(replica.id)
    if found is not None:
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
        except Problem as problem:
            _failed[replica.id] = (time.monotonic() + RETRY_LOAD_S, problem)
            raise
        _engines[replica.id] = engine
        return engine


def is_loaded(replica_id: str) -> bool:
    """Whether this process can answer by the replica at once."""
    return replica_id in _engines


def keep_only(replica_ids: set[str]) -> None:
    """Unloads all others: replicas of versions that are live no more."""
    for replica_id in [r for r in list(_engines) if r not in replica_ids]:
        _engines.pop(replica_id).unload()
