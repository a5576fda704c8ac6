"""A value at most N seconds old, loaded once however many ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class RecentValues(Generic[K, V]):
    """Remembers what `load(key)` gave for `max_age_s` seconds; errors are not remembered.

    While one thread loads a key, others that ask for the same key wait for it (single flight).
    At most `size` keys are kept: the whole memory is dropped when it is full, which costs one load each.
    """

    def __init__(self, load: Callable[[K], V], max_age_s: float, size: int = 100_000) -> None:
        self._load = load
        self._max_age_s = max_age_s
        self._size = size
        self._values: dict[K, tuple[float, V]] = {}
        self._loading: dict[K, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, key: K) -> V:
        """The value, at most max_age_s old. Raises what `load` raises."""
        held = self._values.get(key)
        if held is not None and held[0] > time.monotonic():
            return held[1]
        with self._guard:
            lock = self._loading.setdefault(key, threading.Lock())
        try:
            with lock:
                held = self._values.get(key)
                if held is not None and held[0] > time.monotonic():
                    return held[1]
                # The age counts from before the load: what it reads may change while it reads.
                started = time.monotonic()
                value = self._load(key)
                if len(self._values) >= self._size:
                    self._values.clear()
                self._values[key] = (started + self._max_age_s, value)
                return value
        finally:
            with self._guard:
                self._loading.pop(key, None)

    def forget(self, key: K | None = None) -> None:
        """Drops one key, or all: the next get loads."""
        if key is None:
            self._values.clear()
        else:
            self._values.pop(key, None)
