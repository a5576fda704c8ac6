"""What tests and drills steer and see under /sandbox/: clock, faults, deliveries, requests. Not a part of Stripe."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from billing.sandbox.errors import StripeError
from billing.sandbox.routes import CONTROLS

if TYPE_CHECKING:
    from billing.sandbox.server import Sandbox

MOST_KEPT = 10_000


class Log:
    """The last requests to the API, as they came."""

    def __init__(self) -> None:
        self._kept: deque[dict[str, Any]] = deque(maxlen=MOST_KEPT)

    def add(self, method: str, path: str, params: dict[str, Any], headers: Any) -> None:
        """One that came."""
        self._kept.append(
            {
                "method": method,
                "path": path,
                "params": params,
                "idempotency_key": headers.get("Idempotency-Key", ""),
                "version": headers.get("Stripe-Version", ""),
                "at": time.time(),
            }
        )

    def all(self) -> list[dict[str, Any]]:
        """Those kept, the oldest first."""
        return list(self._kept)


def control(server: Sandbox, path: str, given: dict[str, Any]) -> dict[str, Any]:
    """Does it. Raises StripeError for what there is not.

    clock      moves the sandbox's time by `advance_s`, which may be negative: a clock that is wrong
    faults     plans one; see faults.py
    redeliver  delivers every event again
    deliveries what was and is to be delivered
    requests   what was asked of the API
    disputes, settings: see routes.py
    """
    store = server.store
    if path == "/sandbox/clock":
        with store.transaction():
            store.set("clock_offset", str(int(store.setting("clock_offset", "0")) + int(given["advance_s"])))
        server.turn()
        return {"now": store.now()}
    if path == "/sandbox/faults":
        server.faults.plan(given)
        return {}
    if path in CONTROLS:
        with store.transaction():
            done: dict[str, Any] = CONTROLS[path](store, given)
        server.courier.wake()
        return done
    if path == "/sandbox/redeliver":
        store.sql("UPDATE deliveries SET delivered_at = NULL, next_at = 0, attempts = 0")
        server.courier.wake()
        return {}
    if path == "/sandbox/requests":
        return {"requests": server.log.all()}
    if path == "/sandbox/deliveries":
        rows = store.sql("SELECT event, attempts, delivered_at, status FROM deliveries ORDER BY id")
        names = ("event", "attempts", "delivered_at", "status")
        return {"deliveries": [dict(zip(names, row, strict=True)) for row in rows]}
    raise StripeError(f"Unrecognized request URL ({path}).", status=404)
