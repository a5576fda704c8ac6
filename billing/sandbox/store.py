"""All state, in one SQLite file. A request, and the events that it causes, are one transaction."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from billing.sandbox.errors import CardError, missing

API_VERSION = "2026-10-28.endive"
MOST_INSIDE = 10
# What objects of a kind do not say of themselves.
UNTOLD = {
    "balance_transaction": ("livemode",),
    "invoiceitem": ("created",),
    "item": ("created", "livemode"),
    "refund": ("livemode",),
    "subscription_item": ("livemode",),
    "transfer_reversal": ("livemode",),
}
Object = dict[str, Any]
_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, customer TEXT, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_kind ON objects (kind, customer, seq);
CREATE TABLE IF NOT EXISTS usage (
  seq INTEGER PRIMARY KEY, identifier TEXT NOT NULL, event_name TEXT NOT NULL, customer TEXT NOT NULL, value INTEGER NOT NULL,
  ts INTEGER NOT NULL, arrived INTEGER NOT NULL, error TEXT NOT NULL DEFAULT '', told INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS by_customer ON usage (customer, event_name, ts);
CREATE INDEX IF NOT EXISTS by_identifier ON usage (identifier);
CREATE INDEX IF NOT EXISTS usage_errors ON usage (seq) WHERE error != '' AND told = 0;
CREATE TABLE IF NOT EXISTS replies (
  key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
  id INTEGER PRIMARY KEY, event TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL,
  delivered_at REAL, status INTEGER);
CREATE INDEX IF NOT EXISTS due ON deliveries (next_at) WHERE delivered_at IS NULL;
CREATE TABLE IF NOT EXISTS agenda (act TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (act, id));
CREATE INDEX IF NOT EXISTS by_time ON agenda (at);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_FROM_BEFORE = """BEGIN;
INSERT INTO usage (identifier, event_name, customer, value, ts, arrived)
  SELECT identifier, event_name, customer, value, ts, ts FROM meter_events;
DROP TABLE meter_events; DROP TABLE idempotency; COMMIT;"""


def shown(thing: Any) -> Any:
    """The object as clients see it: without what only the sandbox knows of it, and of lists inside it the first ten."""
    if isinstance(thing, list):
        return [shown(one) for one in thing]
    if not isinstance(thing, dict):
        return thing
    if thing.get("object") == "list" and len(thing["data"]) > MOST_INSIDE:
        thing = {**thing, "data": thing["data"][:MOST_INSIDE], "has_more": True}
    return {key: shown(value) for key, value in thing.items() if not key.startswith("sandbox_")}


class Store:
    """One connection, used under one lock."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(
            folder / "stripe-sandbox.sqlite3", isolation_level=None, check_same_thread=False, timeout=20
        )
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        if self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meter_events'").fetchone():
            self._db.executescript(_FROM_BEFORE)
        self._lock = threading.RLock()
        self._pinned = threading.local()
        self.base = ""  # where the hosted pages are; the server says it

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, one at a time; inside another it is part of that one. What a refused card left is kept."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except CardError:
                self._db.execute("COMMIT")
                raise
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """What is done in it is undone at its end. Within a transaction."""
        self._db.execute("SAVEPOINT rehearsal")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK TO rehearsal")
            self._db.execute("RELEASE rehearsal")

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""
        with self._lock:
            return self._db.execute(statement, values).fetchall()

    def now(self) -> int:
        """The sandbox's time, in seconds: the machine's, moved by what /sandbox/clock advanced."""
        pinned: int | None = getattr(self._pinned, "at", None)
        if pinned is not None:
            return pinned
        return int(time.time()) + int(self.setting("clock_offset", "0"))

    @contextmanager
    def moment(self, at: int) -> Iterator[None]:
        """This thread is at another time."""
        before, self._pinned.at = getattr(self._pinned, "at", None), at
        try:
            yield
        finally:
            self._pinned.at = before

    def schedule(self, act: str, id: str, at: int) -> None:
        """Has the clock do it then; it replaces what was set for the same act and object."""
        self.sql("INSERT OR REPLACE INTO agenda (act, id, at) VALUES (?, ?, ?)", act, id, at)

    def setting(self, name: str, default: str = "") -> str:
        """A kept word."""
        rows = self.sql("SELECT value FROM settings WHERE name = ?", name)
        return str(rows[0][0]) if rows else default

    def set(self, name: str, value: str) -> None:
        """Keeps a word."""
        self.sql(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value
        )

    def create(self, kind: str, prefix: str, body: Object) -> Object:
        """A new object with an id, `object`, `created` and `livemode`."""
        made = {
            "id": f"{prefix}_{secrets.token_hex(12)}",
            "object": kind,
            "created": self.now(),
            "livemode": False,
            **body,
        }
        for name in UNTOLD.get(kind, ()):
            del made[name]
        self.sql(
            "INSERT INTO objects (id, kind, customer, body) VALUES (?, ?, ?, ?)",
            made["id"],
            kind,
            made.get("customer") or made.get("sandbox_customer"),
            json.dumps(made),
        )
        return made

    def save(self, thing: Object) -> Object:
        """Keeps a changed object."""
        self.sql(
            "UPDATE objects SET body = ?, customer = ? WHERE id = ?",
            json.dumps(thing),
            thing.get("customer") or thing.get("sandbox_customer"),
            thing["id"],
        )
        return thing

    def find(self, kind: str, id: str) -> Object | None:
        """The object, if there is one."""
        rows = self.sql("SELECT body FROM objects WHERE id = ? AND kind = ?", id, kind)
        return json.loads(rows[0][0]) if rows else None

    def known(self, id: str) -> Object | None:
        """The object of any kind, if there is one."""
        rows = self.sql("SELECT body FROM objects WHERE id = ?", id)
        return json.loads(rows[0][0]) if rows else None

    def get(self, kind: str, id: str, status: int = 404, param: str = "id") -> Object:
        """The object. Raises StripeError resource_missing."""
        found = self.find(kind, id)
        if found is None:
            raise missing(kind.rpartition(".")[2], id, status, param)
        return found

    def all(self, kind: str, customer: str | None = None) -> list[Object]:
        """Objects of a kind, the newest first."""
        rows = self.sql(
            "SELECT body FROM objects WHERE kind = ? AND (? IS NULL OR customer = ?) ORDER BY seq DESC",
            kind,
            customer,
            customer,
        )
        return [json.loads(row[0]) for row in rows]

    def emit(self, type: str, thing: Object) -> None:
        """An event about the object as it is now, to be delivered to the webhook."""
        event = self.create(
            "event",
            "evt",
            {
                "api_version": API_VERSION,
                "type": type,
                "data": {"object": shown(thing)},
                "pending_webhooks": 1,
                "request": {"id": None, "idempotency_key": None},
            },
        )
        self.sql("INSERT INTO deliveries (event, next_at) VALUES (?, ?)", event["id"], time.time())

    def close(self) -> None:
        """Closes the file."""
        self._db.close()
