"""Delivers events to the webhook from a durable outbox: signed, retried, in no promised order."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
import urllib.error
import urllib.request

from billing.sandbox.faults import Faults
from billing.sandbox.resources import thin
from billing.sandbox.store import Store

RETRY_AFTER_S = (0.2, 1.0, 5.0, 30.0, 300.0, 3600.0)
MOST_ATTEMPTS = 77  # three days of them


def signature(payload: bytes, secret: str, timestamp: int) -> str:
    """The Stripe-Signature header: HMAC-SHA256 of "timestamp.payload"."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={signed}"


class Courier:
    """A thread that sends what is due."""

    def __init__(self, store: Store, url: str, secret: str, thin_url: str = "") -> None:
        self._store, self._url, self._secret, self._thin_url = store, url, secret, thin_url or url
        self.faults = Faults()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        """Begins to deliver."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something to deliver."""
        self._wake.set()

    def stop(self) -> None:
        """Ends after the delivery under way."""
        self._stop.set()
        self._wake.set()
        self._thread.join(5)

    def _run(self) -> None:
        while True:
            self._wake.wait(0.2)
            self._wake.clear()
            due = self._store.sql(
                "SELECT id, event, attempts FROM deliveries WHERE delivered_at IS NULL AND next_at <= ? ORDER BY id LIMIT 50",
                time.time(),
            )
            for delivery, event, attempts in self.faults.order(due):
                if self._stop.is_set():
                    break
                self._deliver(delivery, event, attempts)
            if self._stop.is_set():
                return

    def _deliver(self, delivery: int, event: str, attempts: int) -> None:
        fault = self.faults.of_delivery()
        body = self._store.find("event", event)
        url = self._url
        if body is None:
            body, url = thin.notification(self._store.get(thin.KIND, event)), self._thin_url
        status = 0 if fault == "drop" else self._post(url, json.dumps(body).encode())
        if fault == "duplicate":
            self._post(url, json.dumps(body).encode())
        if 200 <= status < 300:
            self._store.sql(
                "UPDATE deliveries SET delivered_at = ?, status = ? WHERE id = ?", time.time(), status, delivery
            )
            return
        pause = RETRY_AFTER_S[min(attempts, len(RETRY_AFTER_S) - 1)]
        due = time.time() + pause if attempts < MOST_ATTEMPTS else float("inf")
        self._store.sql(
            "UPDATE deliveries SET attempts = attempts + 1, next_at = ?, status = ? WHERE id = ?", due, status, delivery
        )

    def _post(self, url: str, payload: bytes) -> int:
        """The status of the answer; 0 where there is none. Signed at the sandbox's time, right or wrong."""
        request = urllib.request.Request(  # noqa: S310 – the address is the operator's
            url,
            payload,
            {
                "Content-Type": "application/json",
                "User-Agent": "Stripe/1.0 (sandbox)",
                "Stripe-Signature": signature(payload, self._secret, self._store.now()),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 – as above
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0
