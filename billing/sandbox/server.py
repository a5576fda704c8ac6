"""The HTTP side: keys, idempotency, paging, faults, hosted pages."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from billing.sandbox import clock
from billing.sandbox.control import Log, control
from billing.sandbox.deliveries import Courier
from billing.sandbox.errors import CardError, StripeError
from billing.sandbox.expanding import expand, paged
from billing.sandbox.pages.serving import is_page, serve
from billing.sandbox.params import Params, decode
from billing.sandbox.resources import meters
from billing.sandbox.routes import DUE, ROUTES
from billing.sandbox.store import Store, shown
from billing.sandbox.upgrading import upgrade

MOST_BYTES = 1024 * 1024
KEPT_S = 24 * 3600  # what was answered under an idempotency key


class Sandbox(ThreadingHTTPServer):
    """The server, its store, and the threads that deliver events and turn periods."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, store: Store, courier: Courier) -> None:
        super().__init__((host, port), Handler)
        self.store, self.courier = store, courier
        self.base = store.base = f"http://{host}:{self.server_port}"
        self.faults, self.log = courier.faults, Log()
        upgrade(store)
        self.busy: set[str] = set()
        self.guard = threading.Lock()
        threading.Thread(target=self._turn_forever, name="periods", daemon=True).start()

    def turn(self) -> None:
        """Does what is due."""
        clock.turn(self.store, DUE)
        with self.store.transaction():
            meters.report_errors(self.store)
        self.courier.wake()

    def _turn_forever(self) -> None:
        while True:
            time.sleep(1)
            self.turn()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: apart, the second waits 40 ms for the first to be acknowledged
    server: Sandbox

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the portal's log is where one looks."""

    def _answer(self, method: str) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BYTES:
            self.close_connection = True
            return self._send(413, b"{}")
        body = self.rfile.read(length).decode("utf-8", "replace")
        try:
            if is_page(url.path):
                page = serve(self.server.store, method, url.path, decode(body))
                self.server.courier.wake()
                return self._send(page.status, page.body, page.kind, page.location)
            if url.path.startswith("/sandbox/"):
                given = json.loads(body or "{}")
                return self._send(200, json.dumps(control(self.server, url.path, given)).encode())
            if self.server.faults.refusing():
                self.close_connection = True
                return None
            self._with_faults(method, url.path, self._params(method, url.path, url.query, body))
        except StripeError as error:
            self._send(error.status, json.dumps(shown(error.body)).encode())
        except ConnectionError:
            self.close_connection = True  # the client left
        except Exception as error:  # noqa: BLE001 – a client must not wait for an answer that never comes
            traceback.print_exc()
            wrong = StripeError(f"The sandbox failed: {error!r}", status=500, kind="api_error")
            self._send(wrong.status, json.dumps(wrong.body).encode())

    def _params(self, method: str, path: str, query: str, body: str) -> Params:
        """v1 sends forms, v2 JSON."""
        if not path.startswith("/v2/") or not body:
            return decode(body if method == "POST" else query or body)
        try:
            given = json.loads(body)
        except ValueError:
            raise StripeError("The body is not JSON.", "parameter_invalid") from None
        return given if isinstance(given, dict) else {}

    def _with_faults(self, method: str, path: str, given: Params) -> None:
        """Answers, but for what was planned to go wrong."""
        self.server.log.add(method, path, given, self.headers)
        fault = self.server.faults.of_request(path)
        kind, pause = (fault.kind, fault.seconds) if fault else ("", 0.0)
        if kind == "rate_limit":
            error = StripeError("Too many requests.", "rate_limit", status=429)
            headers = {"Retry-After": f"{pause:g}"} if pause else {}
            return self._send(error.status, json.dumps(error.body).encode(), **headers)
        if kind == "server_error":
            raise StripeError("Something went wrong.", status=500, kind="api_error")
        if kind == "delay" and fault and not fault.after:
            time.sleep(pause)
        status, answer = self._api(method, path, given, dropped=kind == "drop_usage")
        self.server.courier.wake()
        if kind == "delay" and fault and fault.after:
            time.sleep(pause)
        if kind == "lose_reply":
            self.close_connection = True
            return None
        self._send(status, answer)

    def _api(self, method: str, path: str, given: Params, dropped: bool) -> tuple[int, bytes]:
        key = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if not key.startswith("sk_test_"):
            raise StripeError("Invalid API Key provided.", status=401)
        routed = [(act, pattern.match(path)) for verb, pattern, act in ROUTES if verb == method and pattern.match(path)]
        if not routed or routed[0][1] is None:
            raise StripeError(f"Unrecognized request URL ({method}: {path}).", status=404)
        act, found = routed[0][0], routed[0][1].groups()
        extra: dict[str, Any] = {}
        if act is meters.record:
            extra = {"dropped": dropped}
        if act is meters.summaries:
            extra = {"lag_s": self.server.faults.lag_s}
        idempotency = self.headers.get("Idempotency-Key", "") if method == "POST" else ""
        if idempotency:
            return self._once(idempotency, path, given, lambda: act(self.server.store, dict(given), *found, **extra))
        with self.server.store.transaction():
            return 200, self._shown(path, given, act(self.server.store, dict(given), *found, **extra))

    def _once(self, key: str, path: str, given: Params, act: Any) -> tuple[int, bytes]:
        """Stripe's idempotency: the first result is kept with its key; other parameters under it are an error."""
        store = self.server.store
        request = hashlib.sha256(json.dumps([path, given], sort_keys=True).encode()).hexdigest()
        with self.server.guard:
            if key in self.server.busy:
                raise StripeError(
                    "A request with this key is under way.",
                    "idempotency_key_in_use",
                    status=409,
                    kind="idempotency_error",
                )
            self.server.busy.add(key)
        try:
            with store.transaction():
                store.sql("DELETE FROM replies WHERE at < ?", store.now() - KEPT_S)
                kept = store.sql("SELECT request, status, body FROM replies WHERE key = ?", key)
                if kept:
                    if kept[0][0] != request:
                        raise StripeError(
                            "Keys for idempotent requests can only be used with the same parameters they were first used with.",
                            kind="idempotency_error",
                        )
                    return int(kept[0][1]), kept[0][2].encode()
                try:
                    status, body = 200, self._shown(path, given, act())
                except CardError as error:  # it was tried: the same key does not try again
                    status, body = error.status, json.dumps(shown(error.body)).encode()
                kept_at = store.now()
                store.sql("INSERT INTO replies VALUES (?, ?, ?, ?, ?)", key, request, status, body.decode(), kept_at)
                return status, body
        finally:
            with self.server.guard:
                self.server.busy.discard(key)

    def _shown(self, path: str, given: Params, result: Any) -> bytes:
        wanted = given.get("expand") or []
        if not isinstance(result, list):
            return json.dumps(shown(expand(self.server.store, result, wanted))).encode()
        page, more = paged(result, given)
        listed = {"object": "list", "url": path, "has_more": more, "data": page}
        told = expand(self.server.store, listed, wanted)
        return json.dumps({**told, "data": [shown(one) for one in told["data"]]}).encode()

    def _send(
        self, status: int, body: bytes, kind: str = "application/json", location: str = "", **headers: str
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Request-Id", f"req_{secrets.token_hex(7)}")
        for name, value in ({"Location": location} if location else {} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
