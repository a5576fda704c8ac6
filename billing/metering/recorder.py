"""Puts usage events on disk before their answers leave: a group commit without a thread of its own.

While one thread commits, others line up; then the first of them writes for all who wait, in one transaction. One thread
alone pays one commit and no hand-over; sixty-four share a few commits.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from django.db import DatabaseError, InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from billing.errors import StoreDown
from billing.ledger.parts import Parts
from billing.metering import months
from billing.metering.models import Checkpoint, Rollup, UsageEvent
from billing.metering.sums import OWED, REST, Used, summed
from portal.kit import ids
from portal.kit.combining import Combiner, Full, Ticket

MOST_A_COMMIT = 512
MOST_WAITING = 10_000


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
    first_ms: int | None = None
    operation_id: str = ""
    status: str = "succeeded"
    factor_bp: int = 10_000
    seller_id: str = ""
    # Where the price has tiers, the cost is that of the place in the month at which the event is committed:
    product: str = ""  # of it,
    most_nanos: int = 0  # and at most this, since no more is held
    checkpointed: bool = False  # it takes the place of a checkpoint
    # Of what is held for the request, what pays; a list where it was read from a checkpoint. None: `funding` pays all.
    held: Parts | Sequence[int] | None = None

    def rests_of(self, cost_nanos: int) -> tuple[int, int]:
        """Of a cost in nano-dollars: what bought credit and what the next invoice pay, where another funding pays first."""
        if self.held is None:
            return 0, 0
        _promo, credit, owed = Parts(*self.held).first(cost_nanos)
        return credit if self.funding != REST else 0, owed if self.funding != OWED else 0


@dataclass(frozen=True, slots=True)
class Progress:
    """A stream's usage so far."""

    usage: Usage


class Recorded(NamedTuple):
    """An event that is on disk."""

    event_id: str
    cost_nanos: int


class LeaseClosed(StoreDown):
    """The lease that should have paid was closed: this process was taken for dead. Nothing was recorded."""


_COLUMNS = (
    "id", "request_id", "workspace_id", "key_id", "model", "version_id", "replica", "protocol",
    "units", "price_id", "cost_nanos", "lease_id", "funding", "latency_ms", "recorded_at",
    "first_ms", "operation_id", "status", "factor_bp", "tier_from", "seller_id", "rest_nanos",
    "owed_nanos",
)  # fmt: skip
_INSERT = {
    mark: f"INSERT INTO {UsageEvent._meta.db_table} ({', '.join(_COLUMNS)}) VALUES ({', '.join([mark] * len(_COLUMNS))})"  # noqa: S608 – constants
    for mark in ("?", "%s")
}
_SUM_COLUMNS = (
    "workspace_id", "hour", "model", "key_id", "funding", "seller_id", "part", "requests", "failed", "cost_nanos",
    "units",
)  # fmt: skip
_ADD = {
    mark: f"INSERT INTO {Rollup._meta.db_table} ({', '.join(_SUM_COLUMNS)}) VALUES ({', '.join([mark] * len(_SUM_COLUMNS))})"  # noqa: S608 – constants
    for mark in ("?", "%s")
}
_SAVE = {
    mark: f"INSERT INTO {Checkpoint._meta.db_table} (request_id, lease_id, usage, saved_at) VALUES ({mark}, {mark}, {mark}, {mark})"  # noqa: S608 – constants
    " ON CONFLICT (request_id) DO UPDATE SET usage = excluded.usage, saved_at = excluded.saved_at"
    for mark in ("?", "%s")
}
_DROP = {mark: f"DELETE FROM {Checkpoint._meta.db_table} WHERE request_id = {mark}" for mark in ("?", "%s")}  # noqa: S608 – constants

_Ticket = Ticket[Usage | Progress, Recorded]


class Recorder:
    """One a process: its own database connection, used by one thread at a time."""

    def __init__(self) -> None:
        self._combiner: Combiner[Usage | Progress, Recorded] = Combiner(self._commit, MOST_A_COMMIT, MOST_WAITING)
        self._connection: BaseDatabaseWrapper | None = None

    def record(self, usage: Usage) -> Recorded:
        """The event's id and what it costs; it is on disk when this returns.

        Raises LeaseClosed when the event's lease is closed, StoreDown when the database fails; then, unless the
        connection broke in the middle of a commit, nothing was recorded.
        """
        try:
            return self._combiner.submit(usage)
        except Full as error:
            raise StoreDown("Too many answers wait for the store: try again shortly.", retry_after_s=1) from error

    def checkpoint(self, usage: Usage) -> None:
        """Keeps how far a stream has come, on disk when this returns. Raises StoreDown."""
        try:
            self._combiner.submit(Progress(usage))
        except Full as error:
            raise StoreDown("Too many answers wait for the store: try again shortly.", retry_after_s=1) from error

    def _commit(self, batch: list[_Ticket]) -> None:
        """Writes the batch in one transaction. Raises StoreDown, for every one of it."""
        try:
            connection = self._open()
            # The driver's own connection: Django's cursor would read the statement anew for every batch.
            driver = connection.connection
            driver.execute("BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN")
            try:
                self._insert(connection, driver.cursor(), batch)
                driver.execute("COMMIT")
            except BaseException:
                driver.execute("ROLLBACK")
                raise
        except Exception as error:
            self.close()
            for ticket in batch:
                ticket.result = None
            raise StoreDown("The store is unavailable: try again shortly.", retry_after_s=1) from error

    def _insert(self, connection: BaseDatabaseWrapper, cursor: Any, batch: list[_Ticket]) -> None:
        moment = timezone.now()
        now = connection.ops.adapt_datetimefield_value(moment)
        mark = "?" if connection.vendor == "sqlite" else "%s"
        named = {lease_id for ticket in batch if (lease_id := _usage(ticket).lease_id)}
        still_open = _lock_open_leases(cursor, mark, named)
        in_tiers = _price_in_tiers(cursor, mark, batch, still_open, moment)
        rows = []
        used: list[Used] = []
        for ticket in batch:
            u = _usage(ticket)
            if u.lease_id and u.lease_id not in still_open:
                ticket.error = LeaseClosed("This server lost its budget lease: try again.", retry_after_s=1)
                continue
            if isinstance(ticket.item, Progress):
                cursor.execute(
                    _SAVE[mark], (u.request_id, u.lease_id, orjson.dumps(asdict(u), default=tuple).decode(), now)
                )
                continue
            if u.checkpointed:
                cursor.execute(_DROP[mark], (u.request_id,))
            cost, tier_from = u.cost_nanos, None
            if u.product:
                cost, tier_from = in_tiers[id(ticket)]
            rest, owed = u.rests_of(cost)
            event_id = ids.make("use")
            ticket.result = Recorded(event_id, cost)
            rows.append(
                (
                    event_id, u.request_id, u.workspace_id, u.key_id, u.model, u.version_id, u.replica, u.protocol,
                    orjson.dumps(u.units).decode(), u.price_id, cost, u.lease_id, u.funding, u.latency_ms, now,
                    u.first_ms, u.operation_id, u.status, u.factor_bp, tier_from, u.seller_id,
                    rest, owed,
                )
            )  # fmt: skip
            used.append(
                (
                    u.workspace_id, moment, u.model, u.key_id, u.funding, u.seller_id, u.status, cost, rest, owed,
                    u.units,
                )
            )  # fmt: skip
        if rows:
            cursor.executemany(_INSERT[mark], rows)
            cursor.executemany(_ADD[mark], _sums(connection, used, part=rows[0][0]))

    def _open(self) -> BaseDatabaseWrapper:
        if self._connection is None:
            self._connection = connections.create_connection("default")
            self._connection.ensure_connection()
            # The combiner lets one thread at a time work with it.
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


def _usage(ticket: _Ticket) -> Usage:
    return ticket.item.usage if isinstance(ticket.item, Progress) else ticket.item


def _sums(connection: BaseDatabaseWrapper, used: list[Used], part: str) -> list[tuple[Any, ...]]:
    """Rows for what the commit adds to the hour's sums."""
    return [
        (
            group.workspace_id, connection.ops.adapt_datetimefield_value(group.hour), group.model, group.key_id,
            group.funding, group.seller_id, part, total.requests, total.failed, total.cost_nanos,
            orjson.dumps(total.units, option=orjson.OPT_SORT_KEYS).decode(),
        )
        for group, total in summed(used).items()
    ]  # fmt: skip


def _price_in_tiers(
    cursor: Any, mark: str, batch: list[_Ticket], still_open: set[str], now: datetime
) -> dict[int, tuple[int, str]]:
    """id of the ticket → cost and `tier_from` as JSON, of those whose price has tiers and that will be written."""
    tickets = [
        ticket
        for ticket in batch
        if _usage(ticket).product
        and not isinstance(ticket.item, Progress)
        and (not _usage(ticket).lease_id or _usage(ticket).lease_id in still_open)
    ]
    charges = months.charge(cursor, mark, [_usage(ticket) for ticket in tickets], now) if tickets else []
    return {
        id(ticket): (charge.cost_nanos, json.dumps(charge.tier_from))
        for ticket, charge in zip(tickets, charges, strict=True)
    }


def _lock_open_leases(cursor: Any, mark: str, named: set[str]) -> set[str]:
    """Those of the leases that are open, kept so until commit: a lease's sum must not grow after it was closed.

    By table name, since the gate stands above metering. SQLite has one writer at a time, so only PostgreSQL must lock.
    """
    if not named:
        return set()
    marks = ", ".join([mark] * len(named))
    lock = "" if mark == "?" else " FOR SHARE"
    cursor.execute(
        f"SELECT id FROM billing_lease WHERE closed_at IS NULL AND id IN ({marks}) ORDER BY id{lock}",  # noqa: S608 – marks only
        list(named),
    )
    return {row[0] for row in cursor.fetchall()}


_recorder = Recorder()
record = _recorder.record
checkpoint = _recorder.checkpoint
close = _recorder.close
