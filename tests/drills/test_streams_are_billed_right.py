"""Streams that break, in both directions and at every place, in every protocol; processes that die in the middle."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.chunks import PROTOCOLS, WHOLE, Chunks, Reader
from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.working import until

pytestmark = pytest.mark.slow
MODEL, WRITER = "bench/chunks", "bench/drilled"
OFFSETS = range(6)
SWEEP = (
    "from datetime import timedelta; from django.utils import timezone; from billing.gate import leases; "
    "leases.sweep(timezone.now() + timedelta(minutes=10))"
)
every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


@pytest.fixture(scope="module")
def drilled(installation: Installation, chunks: Chunks) -> Installation:
    installation.manage(
        "add_model", MODEL, "--task", "chat", "--engine", "openai", "--source", chunks.url,
        "--price-input", "1", "--price-output", "2",
    )  # fmt: skip
    return installation


@pytest.fixture(scope="module")
def auditor(installation: Installation) -> str:
    """A key that may look at usage."""
    return installation.manage("create_key", EMAIL, "--rpm", "0", "--scope", "usage")


def events(installation: Installation, auditor: str, operations: list[str]) -> dict[str, list[dict[str, Any]]]:
    """The usage events of each operation, once all of them have one."""

    def found() -> dict[str, list[dict[str, Any]]]:
        _, page, _ = installation.call("/v1/usage?limit=100", None, auditor)
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in operations}
        for event in page["data"]:
            if event["operation_id"] in rows:
                rows[event["operation_id"]].append(event)
        return rows

    end = time.monotonic() + 10
    while not all((rows := found()).values()) and time.monotonic() < end:
        time.sleep(0.1)
    return rows


def at_once(work: Callable[[int], Any]) -> list[Any]:
    """The work at every offset, at the same time."""
    with ThreadPoolExecutor(len(OFFSETS)) as pool:
        return list(pool.map(work, OFFSETS))


def billed(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[tuple[int, bool, str]]]:
    return {
        name: [(row["units"].get("output_token", 0), row["cost_nanos"] > 0, row["status"]) for row in found]
        for name, found in rows.items()
    }


@every_protocol
def test_a_reader_who_leaves_at_any_place_pays_once_exactly_what_was_generated(
    drilled: Installation, chunks: Chunks, auditor: str, protocol: str
) -> None:
    def leave(offset: int) -> tuple[str, float]:
        name = f"leave-{protocol}-{offset}"
        reader = Reader(drilled, protocol, MODEL, f"{name} hold {offset}")
        reader.read(offset)
        left = reader.leave()
        assert chunks.of(name).ended.wait(5), f"{name}: the upstream still waits"
        return name, chunks.of(name).left_at - left

    told = at_once(leave)
    names = [name for name, _ in told]
    assert billed(events(drilled, auditor, names)) == {
        name: [(offset, offset > 0, "canceled")] for offset, name in enumerate(names)
    }
    assert {name: late for name, late in told if late > 1.0} == {}, "upstreams are told within a second"


@every_protocol
def test_a_reader_who_leaves_while_tokens_flow_pays_for_what_reached_us(
    drilled: Installation, chunks: Chunks, auditor: str, protocol: str
) -> None:
    def leave(offset: int) -> tuple[str, int, float]:
        name = f"flow-{protocol}-{offset}"
        reader = Reader(drilled, protocol, MODEL, f"{name} run 0")
        reader.read(offset)
        left = reader.leave()
        assert chunks.of(name).ended.wait(5), f"{name}: the upstream still writes"
        return name, reader.tokens, chunks.of(name).left_at - left

    told = at_once(leave)
    rows = events(drilled, auditor, [name for name, _, _ in told])
    for name, read, late in told:
        assert len(rows[name]) == 1
        tokens = rows[name][0]["units"].get("output_token", 0)
        written = chunks.of(name).written
        # The last ones may have been written into a connection that was being closed.
        assert read <= tokens <= written <= tokens + 3, name
        assert late <= 1.0, name


@every_protocol
def test_who_asked_for_it_has_the_answer_finished_and_pays_for_all_of_it(
    drilled: Installation, chunks: Chunks, auditor: str, protocol: str
) -> None:
    def leave(offset: int) -> str:
        name = f"finish-{protocol}-{offset}"
        reader = Reader(drilled, protocol, MODEL, f"{name} hold {offset}", **{"x-on-disconnect": "finish"})
        reader.read(offset)
        reader.leave()
        assert not chunks.of(name).ended.wait(1.2), "it was to be finished"
        chunks.of(name).go_on.set()
        return name

    names = at_once(leave)
    assert billed(events(drilled, auditor, names)) == {name: [(WHOLE, True, "succeeded")] for name in names}


@every_protocol
def test_an_upstream_that_breaks_at_any_place_ends_in_an_error_and_what_came_is_billed(
    drilled: Installation, chunks: Chunks, auditor: str, protocol: str
) -> None:
    def ask(offset: int) -> tuple[str, int, bytes, int]:
        name = f"break-{protocol}-{offset}"
        reader = Reader(drilled, protocol, MODEL, f"{name} break {offset}")
        reader.read(offset)
        return name, reader.status, reader.read_all(), reader.tokens

    told = at_once(ask)
    for offset, (name, status, rest, tokens) in enumerate(told):
        assert (status, tokens) == (200 if offset else 502, offset), name
        assert b"error" in rest, name
    assert billed(events(drilled, auditor, [name for name, *_ in told])) == {
        name: [(offset, offset > 0, "failed")] for offset, (name, *_) in enumerate(told)
    }


@every_protocol
def test_an_answer_without_a_token_is_free(drilled: Installation, chunks: Chunks, auditor: str, protocol: str) -> None:
    name = f"empty-{protocol}"
    reader = Reader(drilled, protocol, MODEL, f"{name} empty 0")
    assert b'error":{' not in reader.read_all()
    assert billed(events(drilled, auditor, [name])) == {name: [(0, False, "succeeded")]}


def test_repetitions_under_one_key_are_one_operation(drilled: Installation, chunks: Chunks, auditor: str) -> None:
    before = drilled.call("/v1/usage?limit=1", None, auditor)[1]["total_nanos"]
    key = {"Idempotency-Key": "left, and came back"}
    first = Reader(drilled, "openai", MODEL, "again hold 3", **key)
    first.read(3)
    first.leave()
    chunks.of("again").go_on.set()

    def replayed() -> Any:
        reader = Reader(drilled, "openai", MODEL, "again hold 3", **key)
        answer = reader.read_all()
        return answer if reader.status == 200 else None

    assert until(replayed).count(b"tok ") == WHOLE
    assert chunks.of("again").written == WHOLE, "it ran once"
    _, page, _ = drilled.call("/v1/usage?limit=1", None, auditor)
    assert page["total_nanos"] - before == 9_000 + WHOLE * 2_000
    assert page["data"][0]["operation_id"]
    broken = {"Idempotency-Key": "broke, and tried again"}
    for name in ("torn", "torn"):
        Reader(drilled, "openai", MODEL, f"{name} break 2", **broken).read_all()
    _, page, _ = drilled.call("/v1/usage?limit=2", None, auditor)
    assert len({event["operation_id"] for event in page["data"]}) == 1
    assert len({event["request_id"] for event in page["data"]}) == 2, "a row for each request"


def test_the_log_has_one_row_for_each_request(drilled: Installation, chunks: Chunks, auditor: str) -> None:
    before = len(drilled.used()["events"])
    ways = ["hold 0", "hold 2", "break 0", "break 1", "empty 0", "run 0"]

    def ask(number: int) -> None:
        name, way = f"row-{number}", ways[number % len(ways)]
        reader = Reader(drilled, list(PROTOCOLS)[number % len(PROTOCOLS)], MODEL, f"{name} {way}")
        if way.startswith(("hold", "run")):
            reader.leave()
        else:
            reader.read_all()
        chunks.of(name).ended.wait(5)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(ask, range(36)))
    rows = events(drilled, auditor, [f"row-{number}" for number in range(36)])
    assert {name: len(found) for name, found in rows.items() if len(found) != 1} == {}
    assert len(drilled.used()["events"]) - before == 36


def test_a_model_that_runs_here_stops_for_a_reader_who_leaves_at_any_place(
    installation: Installation, auditor: str, writer_folder: Path
) -> None:
    installation.manage(
        "add_model", WRITER, "--task", "chat", "--engine", "tensorflow", "--source", str(writer_folder),
        "--price-input", "1", "--price-output", "2",
    )  # fmt: skip
    body = {"messages": [{"role": "user", "content": "moon"}], "model": WRITER, "max_tokens": 90}
    assert installation.call("/v1/chat/completions", body)[0] == 200  # loaded

    def leave(offset: int) -> tuple[str, int]:
        name = f"local-{offset}"
        reader = Reader(installation, "openai", WRITER, f"{name} moon")
        said = 0
        while said < offset and (line := reader.line()):
            said += b'"content":' in line
        reader.leave()
        return name, said

    told = at_once(leave) + at_once(leave)  # more than it has slots
    rows = events(installation, auditor, [name for name, _ in told])
    for name, said in told:
        assert len(rows[name]) in (1, 2)
        for row in rows[name]:
            assert row["status"] in ("canceled", "succeeded")
            assert said <= row["units"].get("output_token", 0) <= 128
            assert (row["cost_nanos"] > 0) == bool(row["units"])
    started = time.monotonic()
    assert installation.call("/v1/chat/completions", {**body, "max_tokens": 5})[0] == 200, "the slots are free"
    assert time.monotonic() - started < 10


def test_a_process_that_is_killed_in_the_middle_bills_its_last_checkpoint_once(
    drilled: Installation, chunks: Chunks, auditor: str
) -> None:
    readers = [Reader(drilled, "openai", MODEL, f"killed-{number} run 0") for number in range(3)]
    with ThreadPoolExecutor(3) as pool:  # past a checkpoint
        list(pool.map(lambda reader: reader.read(400), readers))
    drilled.kill()
    got = {f"killed-{number}": reader.tokens for number, reader in enumerate(readers)}
    for reader in readers:
        reader.leave()
    for _ in range(2):
        drilled.manage("shell", "-c", SWEEP)
    drilled.start()
    rows = events(drilled, auditor, list(got))
    for name, read in got.items():
        assert [row["status"] for row in rows[name]] == ["interrupted"]
        assert 0 < rows[name][0]["units"]["output_token"] <= chunks.of(name).written
        assert rows[name][0]["units"]["output_token"] >= read - 2.5 / 0.005
    assert json.loads(drilled.manage("audit_ledger").splitlines()[-1])["differences"] == 0


def test_a_repetition_after_a_crash_is_billed_instead_of_what_crashed(
    drilled: Installation, chunks: Chunks, auditor: str
) -> None:
    total = drilled.call("/v1/usage?limit=1", None, auditor)[1]["total_nanos"]
    key = {"Idempotency-Key": "its process died"}
    reader = Reader(drilled, "openai", MODEL, "crashed hold 3", **key)
    reader.read(3)
    time.sleep(3)  # past a checkpoint
    drilled.kill()
    reader.leave()
    chunks.of("crashed").ended.wait(5)
    chunks.told.pop("crashed")
    chunks.of("crashed").go_on.set()
    drilled.start()
    again = Reader(drilled, "openai", MODEL, "crashed hold 3", **key)
    assert again.read_all().count(b"tok ") == WHOLE
    drilled.stop()  # the sweep below would take it for dead
    for _ in range(2):
        drilled.manage("shell", "-c", SWEEP)
    drilled.start()
    after = drilled.call("/v1/usage?limit=1", None, auditor)[1]["total_nanos"]
    assert after - total == 9_000 + WHOLE * 2_000


def test_a_revoked_key_stops_within_a_second_in_another_process(installation: Installation) -> None:
    boss = installation.manage("create_key", EMAIL, "--rpm", "0", "--scope", "keys")
    _, made, _ = installation.call("/v1/keys", {"name": "soon gone"}, boss)
    body = {"model": "bench/m", "messages": [{"role": "user", "content": "hello"}]}
    assert installation.call("/v1/chat/completions", body, made["secret"])[0] == 200
    revoked = http.client.HTTPConnection("127.0.0.1", installation.port)
    revoked.request("DELETE", f"/v1/keys/{made['id']}", headers={"Authorization": f"Bearer {boss}"})
    assert revoked.getresponse().status == 200
    revoked.close()
    time.sleep(1.1)
    assert installation.call("/v1/chat/completions", body, made["secret"])[0] == 401
