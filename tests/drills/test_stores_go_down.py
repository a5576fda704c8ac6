"""Databases and Redis that are killed under a running server: 503 in seconds, never 401 or 500; and back without us."""

from __future__ import annotations

import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.outages import Outage
from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.upstream import Upstream
from tests.fixtures.working import until

pytestmark = pytest.mark.slow
CHAT = {"model": "bench/m", "messages": [{"role": "user", "content": "hello"}]}
SOON_S = 8.0


@dataclass
class Elsewhere(Installation):
    """An installation that keeps its things where `stores` say."""

    stores: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        return {**super().env, **self.stores}


@contextmanager
def installed(folder: Path, **stores: str) -> Iterator[Elsewhere]:
    upstream = Upstream()
    made = Elsewhere(folder, upstream, apart=True, stores=stores)
    made.install()
    made.manage(
        "add_model", "bench/m", "--task", "chat", "--engine", "openai", "--source", upstream.url,
        "--upstream-model", "m", "--price-input", "1.0", "--price-output", "2.0",
    )  # fmt: skip
    made.start()
    try:
        yield made
    finally:
        made.kill()
        upstream.shutdown()
        upstream.server_close()


def works(made: Installation, key: str = "", **headers: str) -> bool:
    return made.call("/v1/chat/completions", CHAT, key or made.key, **headers)[0] == 200


def refused(call: Callable[[], tuple[int, Any, dict[str, str]]], within_s: float = SOON_S) -> None:
    """503, in time, and the caller is told to come back."""
    started = time.monotonic()
    status, answer, headers = call()
    assert (status, answer["error"]["code"]) == (503, "store_unavailable"), answer
    assert time.monotonic() - started < within_s
    assert (headers["retry-after"], headers["x-should-retry"]) == ("1", "true")
    assert headers["x-request-id"].startswith("req_")
    assert headers["x-mercato-cost"] == "0.00"


@pytest.mark.postgres
def test_postgresql_is_killed_and_comes_back(tmp_path: Path, mortal_postgres: Outage) -> None:
    url = f"postgres://mercato@127.0.0.1:{mortal_postgres.port}/postgres"
    with installed(tmp_path, DATABASE_URL=url) as made:
        assert works(made)
        assert made.call("/v1/chat/completions", CHAT, "mk_unknown")[0] == 401
        for times in range(2):
            mortal_postgres.kill()
            status, text, wait = page(made, "/models")
            assert (status, wait) == (503, "5"), text
            assert "does not answer" in text
            for attempt in range(4):
                known = ["mk_unknown"] if attempt else []  # for a second it is known that this key opens nothing
                for key in (made.key, f"mk_never_seen_{times}", *known):
                    refused(lambda key=key: made.call("/v1/chat/completions", CHAT, key))  # type: ignore[misc]
                refused(lambda: made.call("/v1/usage"))
                refused(lambda: made.call("/v1/chat/completions", CHAT, **{"Idempotency-Key": "while it is down"}))
                time.sleep(1.1)
            mortal_postgres.start()
            until(lambda: works(made), 20)
            assert page(made, "/models")[0] == 200
            assert works(made, **{"Idempotency-Key": f"after {times}"})
            assert made.call("/v1/chat/completions", CHAT, "mk_unknown")[0] == 401
        assert made.manage("audit_ledger")


def page(made: Installation, path: str) -> tuple[int, str, str | None]:
    """The status of a page, its text, and when it tells its reader to come back."""
    try:
        with urllib.request.urlopen(made.url + path, timeout=SOON_S) as answer:
            return answer.status, answer.read().decode(), None
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers["Retry-After"]


@pytest.mark.postgres
def test_redis_is_killed_and_comes_back(tmp_path: Path, mortal_redis: Outage) -> None:
    with installed(tmp_path, REDIS_URL=f"redis://127.0.0.1:{mortal_redis.port}/0") as made:
        limited = {
            name: made.manage("create_key", EMAIL, "--rpm", "0", *more)
            for name, more in (
                ("requests", ["--rpm", "1000"]), ("tokens", ["--tpm", "100000"]), ("seats", ["--concurrency", "5"]),
            )
        }  # fmt: skip
        cached = {"x-mercato-cache": "60"}
        assert all(works(made, key) for key in (made.key, *limited.values()))
        assert works(made, **cached)
        for down, up in ((mortal_redis.kill, mortal_redis.start), (mortal_redis.freeze, mortal_redis.thaw)):
            down()
            for key in limited.values():
                refused(lambda key=key: made.call("/v1/chat/completions", CHAT, key))  # type: ignore[misc]
            assert works(made), "who has no limits needs no Redis"
            assert works(made, **cached), "an answer is made where the cache cannot be asked"
            status, _, headers = made.call("/v1/usage", None, limited["requests"])
            assert (status, headers["x-ratelimit-limit-requests"]) == (200, "0")
            refused(lambda: made.call("/v1/key", None, limited["requests"]))
            queued = {"input": {"messages": CHAT["messages"]}}
            asked = made.call("/v1/models/bench/m/predictions", queued, **{"Prefer": "respond-async"})
            assert asked[0] == 202, "a row is the truth, the message to the worker may be lost"
            up()
            until(lambda: all(works(made, key) for key in limited.values()), 20)
            until(lambda: made.call("/v1/chat/completions", CHAT, **cached)[2].get("x-mercato-cache") == "hit", 20)
        for key in limited.values():
            assert made.call("/v1/key", None, key)[1]["left"]["concurrency"] in (None, 5), "no seat was lost"


def test_a_database_file_that_is_locked_too_long_is_503(tmp_path: Path) -> None:
    with installed(tmp_path) as made:
        assert works(made)
        time.sleep(13)  # what was lent goes back: the next request writes more than its event
        with sqlite3.connect(tmp_path / "mercato.sqlite3", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            refused(lambda: made.call("/v1/chat/completions", CHAT), within_s=45)
            assert made.call("/v1/chat/completions", CHAT, "mk_unknown")[0] == 401, "it can still be read"
            other.execute("ROLLBACK")
        assert works(made)


def test_a_database_file_that_is_none_is_503_until_it_is_one(tmp_path: Path) -> None:
    with installed(tmp_path) as made:
        assert works(made)
        made.stop()
        files = list(tmp_path.glob("mercato.sqlite3*"))
        kept = {file: file.read_bytes() for file in files}
        for file in files:
            file.unlink()
        (tmp_path / "mercato.sqlite3").write_bytes(b"this is no database " * 1000)
        made.start()
        for key in (made.key, "mk_unknown"):
            refused(lambda key=key: made.call("/v1/chat/completions", CHAT, key))  # type: ignore[misc]
        refused(lambda: made.call("/v1/models"))
        (tmp_path / "mercato.sqlite3").unlink()
        for file, content in kept.items():
            file.write_bytes(content)
        until(lambda: works(made), 20)
