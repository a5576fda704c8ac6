"""Streams that break, in both directions and at every place, and processes that die in the middle."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

import pytest

from tests.fixtures.serving import Installation
from tests.fixtures.working import Worker, until

pytestmark = pytest.mark.slow
CHAT = {"model": "bench/m", "messages": [{"role": "user", "content": "hello"}], "stream": True}


def open_stream(installation: Installation, **more: Any) -> tuple[http.client.HTTPConnection, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", installation.port, timeout=30)
    headers = {"Authorization": f"Bearer {installation.key}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps({**CHAT, **more}), headers)
    return connection, connection.getresponse()


def read(response: Any, chunks: int) -> int:
    """Reads so many chunks with text; how many there were."""
    seen = 0
    while seen < chunks and (line := response.readline()):
        seen += b'"content"' in line
    return seen


def events(installation: Installation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = installation.used()["events"]
    return found


@pytest.mark.parametrize("chunks", range(6))
def test_a_reader_who_leaves_after_any_chunk_is_billed_once_for_what_was_generated(
    installation: Installation, chunks: int
) -> None:
    installation.upstream.behave[:] = ["long"]
    installation.upstream.left_early.clear()
    before = len(events(installation))
    connection, response = open_stream(installation)
    got = read(response, chunks)
    response.close()
    connection.close()
    assert installation.upstream.left_early.wait(3), "the upstream still generates"
    until(lambda: len(events(installation)) > before, 10)
    time.sleep(0.5)
    new = events(installation)[before:]
    assert len(new) == 1
    written = new[0]["units"].get("output_token", 0)
    assert got <= written <= got + 40
    assert (new[0]["cost_nanos"] > 0) == (written > 0)


def test_a_silent_upstream_does_not_hide_a_reader_who_left(installation: Installation) -> None:
    installation.upstream.behave[:] = ["silent"]
    before = len(events(installation))
    connection, response = open_stream(installation)
    assert read(response, 1) == 1
    left = time.monotonic()
    response.close()
    connection.close()
    until(lambda: len(events(installation)) > before, 10)
    assert time.monotonic() - left < 8
    assert events(installation)[-1]["units"]["output_token"] == 1


def test_a_process_that_is_killed_in_the_middle_bills_its_last_checkpoint_once(
    installation: Installation, worker: Worker
) -> None:
    installation.upstream.behave[:] = ["long"]
    before = len(events(installation))
    connection, response = open_stream(installation)
    read(response, 70)  # 3.5 seconds: past a checkpoint
    installation.kill()
    connection.close()
    installation.start()
    settled = until(lambda: events(installation)[before:], 150)
    assert len(settled) == 1
    assert settled[0]["status"] == "interrupted"
    assert 20 <= settled[0]["units"]["output_token"] <= 70
    time.sleep(12)  # another sweep
    assert len(events(installation)) == before + 1


def test_a_revoked_key_stops_within_a_second_in_another_process(installation: Installation) -> None:
    from tests.fixtures.serving import EMAIL

    boss = installation.manage("create_key", EMAIL, "--rpm", "0", "--scope", "keys")
    _, made, _ = installation.call("/v1/keys", {"name": "soon gone"}, boss)
    body = {name: value for name, value in CHAT.items() if name != "stream"}
    assert installation.call("/v1/chat/completions", body, made["secret"])[0] == 200
    revoked = http.client.HTTPConnection("127.0.0.1", installation.port)
    revoked.request("DELETE", f"/v1/keys/{made['id']}", headers={"Authorization": f"Bearer {boss}"})
    assert revoked.getresponse().status == 200
    revoked.close()
    time.sleep(1.1)
    assert installation.call("/v1/chat/completions", body, made["secret"])[0] == 401
