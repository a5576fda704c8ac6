"""What usage.py measures, each in a process of its own: ingest, fill FROM TO, pages. The last line is JSON."""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from operator import itemgetter
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
os.environ["ALLOWED_HOSTS"] = "localhost"
django.setup()

from django.conf import settings  # noqa: E402 – Django must be set up first
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks.site import EMAIL  # noqa: E402
from billing.metering import recorder, rollups  # noqa: E402
from billing.metering.log import LATER  # noqa: E402
from billing.metering.models import Rollup, UsageEvent  # noqa: E402
from billing.metering.recorder import Usage  # noqa: E402
from billing.metering.sums import FIELDS, Group, Sum, summed  # noqa: E402
from billing.statements import usage  # noqa: E402
from portal.accounts.models import Key, User  # noqa: E402

DAYS = 60
UNITS = {"input_token": 120, "output_token": 45}
SECONDS, ROUNDS = 4, 11
COLUMNS = (
    "id", "request_id", "operation_id", "status", "workspace_id", "key_id", "model", "version_id", "replica", "protocol",
    "units", "price_id", "factor_bp", "tier_from", "cost_nanos", "rest_nanos", "owed_nanos", "seller_id", "lease_id", "funding", "latency_ms",
    "first_ms", "recorded_at",
)  # fmt: skip


def ingest() -> dict[str, Any]:
    """Events a second through the recorder, each on disk when it returns, by threads; and what one costs the core."""
    uses = [
        Usage(
            request_id=f"req_{n:026}", workspace_id=f"ws_{n % 20:026}", key_id=f"key_{n % 40:026}", model=f"bench/m{n % 5}",
            version_id="ver_" + "0" * 26, replica="rep_" + "0" * 26, protocol="openai", funding="promo", lease_id="",
            units={"input_token": 9, "output_token": 30}, price_id="price_" + "0" * 26, cost_nanos=15_000, latency_ms=9,
        )
        for n in range(1000)
    ]  # fmt: skip
    found = {}
    for threads in (1, 64):
        counts, busy, started = [0] * threads, time.process_time(), time.perf_counter()

        def client(number: int, counts: list[int] = counts, ends: float = started + SECONDS) -> None:
            while time.perf_counter() < ends:
                recorder.record(uses[(number * 31 + counts[number]) % 1000])
                counts[number] += 1

        workers = [threading.Thread(target=client, args=(n,)) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        total = sum(counts)
        found[str(threads)] = {
            "events_per_s": round(total / (time.perf_counter() - started)),
            "core_us": round((time.process_time() - busy) / total * 1e6, 1),
        }
    recorder.close()
    return found


def events(own: str, first: int, last: int) -> Iterator[tuple[Any, ...]]:
    """A tenth are one workspace's, with twenty keys that use two models each; the others use the market in bursts."""
    start = timezone.now() - timedelta(days=DAYS)
    step = timedelta(days=DAYS) / (last - first)
    units = json.dumps(UNITS)
    keys = [f"key_{n:026}" for n in range(20)]
    for n in range(first, last):
        at = start + step * (n - first)
        m = n // 10
        mine = n % 10 == 0
        key = ("key_rare" if m % 25_000 == 0 else keys[m % 20]) if mine else f"key_{n // 50 % 5000}"
        yield (
            f"use_{n:026}", f"req_{n:026}", "", "failed" if n % 97 == 0 else "succeeded",
            own if mine else f"ws_{n // 50 % 5000:026}", key,
            f"bench/m{(m % 20 + m // 20 % 2) % 5 if mine else n // 50 % 5}", "ver_x", "rep_x",
            "openai", units, "price_x", 10_000, None, 15_000 + n % 7, 0, 0, "", f"lease_{n // 500:026}", "receivable" if n // 50 % 3 else "promo", 9, None, at,
        )  # fmt: skip


def fill(first: int, last: int) -> dict[str, float]:
    """Rows and rollups as the product would have made them; the indexes are made after."""
    indexes = UsageEvent._meta.indexes
    table, names = UsageEvent._meta.db_table, ", ".join(COLUMNS)
    used = itemgetter(*(COLUMNS.index(name) for name in FIELDS[:-1]))
    sums: dict[Group, Sum] = {}
    own = User.objects.get(email=EMAIL).personal_workspace.pk  # now: a COPY has the connection to itself

    def summing() -> Iterator[tuple[Any, ...]]:
        rows = events(own, first, last)
        while some := list(islice(rows, 10_000)):
            for group, sum_ in summed((*used(row), UNITS) for row in some).items():
                sums.setdefault(group, Sum()).add(sum_.requests, sum_.failed, sum_.cost_nanos, sum_.units)
            yield from some

    with connection.schema_editor() as editor:
        for index in indexes:
            editor.remove_index(UsageEvent, index)
    connection.ensure_connection()
    driver = connection.connection
    if connection.vendor == "sqlite":
        marks = ", ".join("?" * len(COLUMNS))
        rows = ((*row[:-1], row[-1].strftime("%Y-%m-%d %H:%M:%S.%f")) for row in summing())
        driver.execute("BEGIN")
        driver.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
        driver.execute("COMMIT")
    else:
        with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for row in summing():
                copy.write_row(row)
    Rollup.objects.bulk_create(
        (Rollup.of(group, total, part=f"fill_{first}") for group, total in sums.items()), batch_size=5000
    )
    rollups.roll_up(LATER)
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.add_index(UsageEvent, index)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            cursor.execute(f"VACUUM {table}, billing_rollup")
    return {"rollups": len(sums)}


def pages() -> dict[str, float]:
    """Milliseconds, the middle of eleven after a first that fills the caches. Through all middleware, without a network."""
    user = User.objects.get(email=EMAIL)
    workspace_id, now = user.personal_workspace.pk, timezone.now()
    browser, program = Client(SERVER_NAME="localhost"), Client(SERVER_NAME="localhost")
    browser.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    Key.objects.get_or_create(id="key_rare", workspace=user.personal_workspace, defaults={"name": "rare", "hash": "x"})

    def page(url: str) -> Callable[[], Any]:
        return lambda: _ok(browser.get(url))

    def api(query: str) -> Callable[[], Any]:
        return lambda: _ok(
            program.get(f"/v1/usage?{query}", headers={"authorization": f"Bearer {os.environ['BENCH_KEY']}"})
        )

    def cursor_at(moment: datetime) -> str:
        return f"cursor={moment.isoformat().replace('+', '%2B')}~use_0"

    month = f"from={(now - timedelta(days=30)).date()}&to={now.date()}"
    cut = (now - timedelta(days=45)).isoformat().replace("+", "%2B")
    works = {
        "usage page": page("/usage"),
        "request log, a model": page("/usage?model=bench/m1"),
        "request log, a rare key": page("/usage?key=key_rare"),
        "request log, a rare key and a model": page("/usage?key=key_rare&model=bench/m1"),
        "request log, deep": page(f"/usage?{cursor_at(now - timedelta(days=DAYS - 1))}"),
        "GET /v1/usage": api("limit=50"),
        "GET /v1/usage, a key, deep": api(f"key=key_{3:026}&{cursor_at(now - timedelta(days=DAYS - 1))}"),
        "GET /v1/usage, since 45 days ago": api(f"since={cut}"),
        "billing overview": page("/billing"),
        "statement of 30 days": page(f"/billing/statement?{month}"),
        "breakdown by key, 60 days": lambda: usage.breakdown(workspace_id, now - timedelta(days=DAYS), now, "key"),
        "breakdown by member, 45 days": lambda: usage.breakdown(workspace_id, now - timedelta(days=45), now, "member"),
        "console: usage": page("/admin/billing/usageevent/"),
        "console: start": page("/admin/"),
    }
    found = {}
    for name, work in works.items():
        work()
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            work()
            times.append((time.perf_counter() - started) * 1000)
        found[name] = round(statistics.median(times), 1)
    return found


def _ok(response: Any) -> None:
    assert response.status_code == 200, (response.status_code, response.content[:300])


if __name__ == "__main__":
    settings.DEBUG = False
    if sys.argv[1] == "ingest":
        print(json.dumps(ingest()))
    elif sys.argv[1] == "fill":
        print(json.dumps(fill(int(sys.argv[2]), int(sys.argv[3]))))
    else:
        print(json.dumps(pages()))
