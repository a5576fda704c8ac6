"""On PostgreSQL usage events stand in a table a month, under one name: made ahead, dropped when their month is archived.

An event whose month has none goes into the default partition, so recording never waits for a job that did not run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction

from billing.metering.models import UsageEvent

AHEAD = 3  # months
_TABLE = UsageEvent._meta.db_table
_NAME = re.compile(rf"{_TABLE}(_until)?_(\d{{4}})_(\d\d)")
_LONGEST_WAIT = "4s"  # for a lock: whoever comes after us waits too


def make_ahead(now: datetime) -> int:
    """Partitions for this month and those to come; how many were made. What the default held of them moves there."""
    if connection.vendor != "postgresql":
        return 0
    there = _ends()
    made = 0
    month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for _ in range(AHEAD + 1):
        name = f"{_TABLE}_{month:%Y_%m}"
        if name not in there and not any("_until_" in other and month < end for other, end in there.items()):
            made += _tried(_make, name, month, following(month))
        month = following(month)
    return made


def drop_empty(before: datetime) -> int:
    """Drops the partitions of months that ended by then and hold nothing; how many."""
    if connection.vendor != "postgresql":
        return 0
    return sum(_tried(_drop, name) for name, end in _ends().items() if end <= before)


def following(month: datetime) -> datetime:
    """The begin of the next month."""
    return (month + timedelta(days=32)).replace(day=1)


def _ends() -> dict[str, datetime]:
    """Partition → when its time ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [_TABLE])
        names = [row[0] for row in cursor.fetchall()]
    ends = {}
    for name in names:
        if found := _NAME.fullmatch(name):
            month = datetime(int(found[2]), int(found[3]), 1, tzinfo=UTC)
            ends[name] = month if found[1] else following(month)
    return ends


def _make(name: str, start: datetime, end: datetime) -> bool:
    with _locking() as cursor:
        # Nothing may come into the default between our moving and our attaching.
        cursor.execute(f"LOCK TABLE {_TABLE}_default IN ACCESS EXCLUSIVE MODE")
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone()[0] is not None:
            return False
        cursor.execute(f"CREATE TABLE {name} (LIKE {_TABLE} INCLUDING ALL)")
        cursor.execute(
            f"WITH moved AS (DELETE FROM {_TABLE}_default WHERE recorded_at >= %s AND recorded_at < %s RETURNING *) "  # noqa: S608 – constants
            f"INSERT INTO {name} SELECT * FROM moved",
            [start, end],
        )
        cursor.execute(f"ALTER TABLE {_TABLE} ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)", [start, end])
        return True


def _drop(name: str) -> bool:
    with _locking() as cursor:
        cursor.execute(f"LOCK TABLE ONLY {_TABLE} IN ACCESS EXCLUSIVE MODE")
        cursor.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {name})")  # noqa: S608 – matched by _NAME
        if cursor.fetchone()[0]:
            return False
        cursor.execute(f"DROP TABLE {name}")
        return True


def _tried(deed: Callable[..., bool], *given: Any) -> bool:
    """Whether it was done. One that waits too long for a lock gives up, and the job comes again."""
    try:
        return deed(*given)
    except OperationalError:
        return False


@contextmanager
def _locking() -> Iterator[Any]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{_LONGEST_WAIT}'")
        yield cursor
