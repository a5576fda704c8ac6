"""What goes wrong on purpose: planned through /sandbox/faults, each a number of times, in the order of planning."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from typing import Any

from billing.sandbox.errors import StripeError

# Of requests: the work is done and its reply lost; 429; 500; waits `seconds` before or `after` the work; usage is taken
# with 200 and dropped, which a thin error report says later.
OF_REQUESTS = ("lose_reply", "rate_limit", "server_error", "delay", "drop_usage")
# Of deliveries: sent once more; an attempt that never arrives (and is made again later).
OF_DELIVERIES = ("duplicate", "drop")
# For a while: connections are closed without an answer.
FOR_SECONDS = ("refuse",)
# Until it is planned again with other figures: the order of deliveries by `seed`; meter events count in summaries
# `seconds` after they came.
STANDING = ("reorder", "lag")


@dataclass(slots=True)
class Fault:
    """One that is planned."""

    kind: str
    path: str
    count: int
    seconds: float = 0
    after: bool = False


class Faults:
    """The plan; safe to ask from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._planned: list[Fault] = []
        self._refuse_until = 0.0
        self._dice: random.Random | None = None
        self.lag_s = 0.0

    def plan(self, given: dict[str, Any]) -> None:
        """Adds one: {"kind", "path", "count", "seconds", "after", "seed"}. Raises StripeError for an unknown kind."""
        kind, seconds = str(given.get("kind", "")), float(given.get("seconds", 0))
        with self._guard:
            if kind in FOR_SECONDS:
                self._refuse_until = time.monotonic() + seconds
            elif kind == "lag":
                self.lag_s = seconds
            elif kind == "reorder":
                self._dice = random.Random(given["seed"]) if "seed" in given else None  # noqa: S311 – a drill's
            elif kind in OF_REQUESTS + OF_DELIVERIES:
                self._planned.append(
                    Fault(
                        kind, str(given.get("path", "/")), int(given.get("count", 1)), seconds, bool(given.get("after"))
                    )
                )
            else:
                raise StripeError(f"Unknown fault: {kind}.", param="kind")

    def of_request(self, path: str) -> Fault | None:
        """What this request suffers."""
        return self._next(OF_REQUESTS, path)

    def of_delivery(self) -> str:
        """What this delivery suffers: a kind, or an empty text."""
        fault = self._next(OF_DELIVERIES, "/")
        return fault.kind if fault else ""

    def refusing(self) -> bool:
        """Whether connections are closed right now."""
        return time.monotonic() < self._refuse_until

    def order(self, due: list[Any]) -> list[Any]:
        """What is due, in the order in which it is delivered."""
        if self._dice is not None:
            self._dice.shuffle(due)
        return due

    def _next(self, kinds: tuple[str, ...], path: str) -> Fault | None:
        with self._guard:
            for fault in self._planned:
                if fault.kind in kinds and path.startswith(fault.path):
                    fault.count -= 1
                    if fault.count <= 0:
                        self._planned.remove(fault)
                    return fault
        return None
