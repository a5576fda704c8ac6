"""How replicas do, in this process: outstanding requests, latency, failures, ejection."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field

EJECT_AFTER = 3  # failures in a row
EJECT_FOR_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
KEPT = 512  # latencies


@dataclass(slots=True)
class Health:
    """One replica. Counters are exact under their lock; a reader may see them a moment late."""

    outstanding: int = 0
    latency_ms: float = 0.0  # exponentially weighted; 0 before the first answer
    failures: int = 0  # in a row
    ejections: int = 0
    ejected_at: float = 0.0  # time.perf_counter()
    ejected_until: float = 0.0  # time.monotonic()
    served: int = 0
    answered_at: float = 0.0  # time.monotonic() of the last answer
    recent_ms: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """A request was sent to it."""
        with self.lock:
            self.outstanding += 1

    def succeeded(self, took_ms: float) -> None:
        """It answered."""
        with self.lock:
            self.outstanding -= 1
            self.failures = self.ejections = 0
            self.ejected_until = 0.0
            self.served += 1
            self.answered_at = time.monotonic()
            self.latency_ms += (took_ms - self.latency_ms) * (0.1 if self.latency_ms else 1.0)
            self.recent_ms.append(took_ms)

    def failed(self, sent_at: float | None = None) -> None:
        """It failed: after some failures in a row it gets nothing for a while, longer each time.

        What was sent before its last ejection (`sent_at`, of time.perf_counter) fails with the same outage, once.
        """
        with self.lock:
            self.outstanding -= 1
            self.failures += 1
            if self.failures >= EJECT_AFTER and (sent_at is None or sent_at >= self.ejected_at):
                self.ejected_at = time.perf_counter()
                pause = EJECT_FOR_S[min(self.ejections, len(EJECT_FOR_S) - 1)]
                self.ejections += 1
                self.ejected_until = time.monotonic() + pause

    def readmitted(self) -> None:
        """A probe found it well."""
        with self.lock:
            self.failures = self.ejections = 0
            self.ejected_until = 0.0

    def ejected(self) -> bool:
        """Whether it gets nothing for now."""
        return self.ejected_until > time.monotonic()

    def left(self) -> None:
        """The request ended for reasons that say nothing about it."""
        with self.lock:
            self.outstanding -= 1

    def is_lighter_than(self, other: Health) -> bool:
        """Whether the next request would wait less here: outstanding requests weighted with latency.

        One that has not answered yet is compared by its requests alone, so that it is not taken for the fastest.
        """
        if not (self.latency_ms and other.latency_ms):
            return self.outstanding < other.outstanding
        return (self.outstanding + 1) * self.latency_ms < (other.outstanding + 1) * other.latency_ms

    def percentile_ms(self, share: float) -> float | None:
        """Of the last answers' latencies; None before the first."""
        kept = sorted(self.recent_ms)
        return kept[min(int(len(kept) * share), len(kept) - 1)] if kept else None


_healths: dict[str, Health] = {}


def of(replica_id: str) -> Health:
    """The replica's health in this process."""
    return _healths.get(replica_id) or _healths.setdefault(replica_id, Health())
