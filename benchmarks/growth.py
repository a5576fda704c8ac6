"""Requests a second with a full database beside an empty one: a million keys, 100,000 models, ten million usage rows."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from benchmarks.site import CHAT, Site, wrk

KEYS, MODELS, EVENTS = 1_000_000, 100_000, 10_000_000
ROUNDS, SECONDS = 3, 5


def measure() -> dict[str, Any]:
    """The best of each, in turns: two installations side by side, one process at a time."""
    best = {"empty": 0.0, "full": 0.0}
    with Site(serve=False) as site:
        database = site.folder / "mercato.sqlite3"
        empty = site.folder / "empty.sqlite3"
        full = site.folder / "full.sqlite3"
        _copy(database, empty)
        started = time.perf_counter()
        _fill(str(database))
        filled_s = time.perf_counter() - started
        database.rename(full)
        for _ in range(ROUNDS):
            for name, file in (("empty", empty), ("full", full)):
                file.rename(database)
                web = site.start()
                site.call("/v1/chat/completions", CHAT)
                wrk(f"{site.url}/v1/chat/completions", CHAT, site.key, 16, 2)
                rate = wrk(f"{site.url}/v1/chat/completions", CHAT, site.key, 16, SECONDS)["rps"]
                best[name] = max(best[name], rate)
                web.stop()
                with sqlite3.connect(database) as connection:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.close()
                database.rename(file)
        return {
            "keys": KEYS, "models": MODELS, "events": EVENTS, "fill_s": filled_s, "empty_rps": best["empty"],
            "full_rps": best["full"], "share": best["full"] / best["empty"],
        }  # fmt: skip


def _copy(source: Any, target: Any) -> None:
    with sqlite3.connect(source) as one, sqlite3.connect(target) as other:
        one.backup(other)
    one.close()
    other.close()


def _fill(path: str) -> None:
    """Rows as the product would have made them, copied from those that are there."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-400000")
    _series(connection, "accounts_key", KEYS, {"id": "'key_' || n", "hash": "'hash' || n"})
    _series(connection, "marketplace_model", MODELS, {"id": "'mdl_' || n", "name": "'model-' || n"})
    workspace = connection.execute("SELECT workspace_id FROM accounts_key LIMIT 1").fetchone()[0]
    connection.execute(
        """
        WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ?)
        INSERT INTO billing_usageevent (id, request_id, operation_id, status, workspace_id, key_id, model, version_id,
            replica, protocol, units, price_id, cost_nanos, lease_id, funding, latency_ms, first_ms, recorded_at)
        SELECT 'use_0' || printf('%025d', n), 'req_' || n, '', 'succeeded',
            CASE WHEN n % 10 = 0 THEN ? ELSE 'ws_' || (n % 5000) END, 'key_' || (n % 1000000), 'bench/m', 'ver', 'rep',
            'openai', '{"request": 1}', '', 0, '', '', 5, NULL,
            datetime('2026-01-01', '+' || (n * 2) || ' seconds')
        FROM s
        """,
        (EVENTS, workspace),
    )
    connection.commit()
    connection.execute("ANALYZE")
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _series(connection: sqlite3.Connection, table: str, count: int, changed: dict[str, str]) -> None:
    """`count` copies of the table's first row, each with other values for the columns in `changed` (SQL with n)."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(changed.get(column, f't."{column}"') for column in columns)
    named = ", ".join(f'"{column}"' for column in columns)
    connection.execute(
        f"""
        WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count})
        INSERT INTO {table} ({named}) SELECT {values} FROM s, (SELECT * FROM {table} LIMIT 1) t
        """
    )
    connection.commit()
