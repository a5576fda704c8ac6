"""Delivers events to the webhook from a durable outbox: signed, retried, in no promised order."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
import urllib.error
import urllib.request

from billing.sandbox.store import Store

RETRY_AFTER_S = (0.2, 1.0, 5.0, 30.0, 300.0, 3600.0)
GIVE_UP_AFTER_S = 3 * 24 * 3600


def signature(payload: bytes, secret: str, timestamp: int) -> str:
    """The Stripe-Signature header: HMAC-SHA256 of "timestamp.payload"."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={signed}"


class Courier:
    """A thread that sends what is due."""

    def __init__(self, store: Store, url: str, secret: str) -> None:
        self._store, self._url, self._secret = store, url, secret
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
            for delivery, event, attempts in due:
                if self._stop.is_set():
                    break
                self._deliver(delivery, event, attempts)
            if self._stop.is_set():
                return

    def _deliver(self, delivery: int, event: str, attempts: int) -> None:
        body = self._store.find("event", event)
        payload = json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 – the address is the operator's
            self._url,
            payload,
            {
                "Content-Type": "application/json",
                "User-Agent": "Stripe/1.0 (sandbox)",
                "Stripe-Signature": signature(payload, self._secret, int(time.time())),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 – as above
                status = response.status
        except urllib.error.HTTPError as error:
            status = error.code
        except OSError:
            status = 0
        if 200 <= status < 300:
            self._store.sql(
                "UPDATE deliveries SET delivered_at = ?, status = ? WHERE id = ?", time.time(), status, delivery
            )
            return
        pause = RETRY_AFTER_S[min(attempts, len(RETRY_AFTER_S) - 1)]
        created = body["created"] if body else 0
        due = time.time() + pause if self._store.now() - created < GIVE_UP_AFTER_S else float("inf")
        self._store.sql(
            "UPDATE deliveries SET attempts = attempts + 1, next_at = ?, status = ? WHERE id = ?", due, status, delivery
        )
