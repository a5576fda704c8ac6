"""Puts usage events on disk before their answers leave: a group commit without a thread of its own.

The first thread that comes while nobody commits becomes the leader: it writes its event and all that wait, in one
transaction, and wakes their threads; then whoever came first in the meantime leads the next round. One thread alone
pays one commit and no hand-over; sixty-four threads share a few commits.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import orjson
from django.db import DatabaseError, InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from billing.errors import StoreDown
from billing.metering.models import UsageEvent
from portal.kit import ids


@dataclass(frozen=True, slots=True)
class Usage:
    """What a prediction used and cost; see UsageEvent for the fields."""

    request_id: str
    workspace_id: str
    key_id: str
    model: str
    version_id: str
    replica: str
    protocol: str
    units: dict[str, int]
    price_id: str
    cost_nanos: int
    lease_id: str
    funding: str
    latency_ms: int


class LeaseClosed(StoreDown):
    """The lease that should have paid was closed: this process was taken for dead. Nothing was recorded."""


@dataclass(slots=True)
class _Waiting:
    usage: Usage
    id: str = field(default_factory=lambda: ids.make("use"))
    done: threading.Lock = field(default_factory=threading.Lock)
    leads: bool = False
    error: Exception | None = None


_COLUMNS = (
    "id", "request_id", "workspace_id", "key_id", "model", "version_id", "replica", "protocol",
    "units", "price_id", "cost_nanos", "lease_id", "funding", "latency_ms", "recorded_at",
)  # fmt: skip
_INSERT = (
    f"INSERT INTO {UsageEvent._meta.db_table} ({', '.join(_COLUMNS)}) VALUES ({', '.join(['%s'] * len(_COLUMNS))})"  # noqa: S608 – constants
)


class Recorder:
    """One a process: its own database connection, used by one leader at a time."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._led = False
        self._connection: BaseDatabaseWrapper | None = None

    def record(self, usage: Usage) -> str:
        """The id of the event, which is on disk when this returns.

        Raises LeaseClosed when the event's lease is closed, StoreDown when the database fails; then, unless the
        connection broke in the middle of a commit, nothing was recorded.
        """
        mine = _Waiting(usage)
        mine.done.acquire()
        with self._guard:
            self._waiting.append(mine)
            leads, self._led = not self._led, True
        if not leads:
            mine.done.acquire()
            leads = mine.leads
        if leads:
            self._lead()
        if mine.error is not None:
            raise mine.error
        return mine.id

    def _lead(self) -> None:
        with self._guard:
            batch, self._waiting = self._waiting, []
        try:
            self._commit(batch)
        finally:
            for other in batch:
                other.leads = False
                other.done.release()
            with self._guard:
                if self._waiting:
                    self._waiting[0].leads = True
                    self._waiting[0].done.release()
                else:
                    self._led = False

    def _commit(self, batch: list[_Waiting]) -> None:
        """Writes the batch in one transaction, or marks every one of it with why not. Never raises."""
        try:
            connection = self._open()
            connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
            try:
                self._insert(connection, batch)
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
            finally:
                connection.set_autocommit(True)
        except Exception as error:
            self.close()
            for one in batch:
                one.error = StoreDown("The store is unavailable: try again shortly.", retry_after_s=1)
                one.error.__cause__ = error

    def _insert(self, connection: BaseDatabaseWrapper, batch: list[_Waiting]) -> None:
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        named = {one.usage.lease_id for one in batch if one.usage.lease_id}
        with connection.cursor() as cursor:
            still_open = _lock_open_leases(connection, cursor, named)
            rows = []
            for one in batch:
                u = one.usage
                if u.lease_id and u.lease_id not in still_open:
                    one.error = LeaseClosed("This server lost its budget lease: try again.", retry_after_s=1)
                    continue
                rows.append(
                    (
                        one.id, u.request_id, u.workspace_id, u.key_id, u.model, u.version_id, u.replica, u.protocol,
                        orjson.dumps(u.units).decode(), u.price_id, u.cost_nanos, u.lease_id, u.funding, u.latency_ms,
                        now,
                    )
                )  # fmt: skip
            if rows:
                cursor.executemany(_INSERT, rows)

    def _open(self) -> BaseDatabaseWrapper:
        if self._connection is None:
            self._connection = connections.create_connection("default")
            # Leaders take turns under the guard, never two at once.
            self._connection.inc_thread_sharing()
        return self._connection

    def close(self) -> None:
        """Closes the connection; the next event opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except (DatabaseError, InterfaceError):
                pass  # it is gone either way


def _lock_open_leases(connection: BaseDatabaseWrapper, cursor: object, named: set[str]) -> set[str]:
    """Those of the leases that are open, kept so until commit: a lease's sum must not grow after it was closed.

    By table name, since the gate stands above metering. SQLite has one writer at a time, so only PostgreSQL must lock.
    """
    if not named:
        return set()
    marks = ", ".join(["%s"] * len(named))
    lock = " FOR SHARE" if connection.vendor == "postgresql" else ""
    cursor.execute(  # type: ignore[attr-defined] # Django's cursor wrapper
        f"SELECT id FROM billing_lease WHERE closed_at IS NULL AND id IN ({marks}){lock}",  # noqa: S608 – marks only
        list(named),
    )
    return {row[0] for row in cursor.fetchall()}  # type: ignore[attr-defined]


_recorder = Recorder()
record = _recorder.record
close = _recorder.close
