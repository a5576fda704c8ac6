"""Limits of keys, keys managed by programs, canaries and replicas that come and go, on a real server."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.working import until

MESSAGES = [{"role": "user", "content": "hello"}]
CHAT = {"model": "bench/m", "messages": MESSAGES}
INFER = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}


def test_more_requests_than_fit_are_refused_at_once_and_those_inside_answer(installation: Installation) -> None:
    key = installation.manage("create_key", EMAIL, "--rpm", "0", "--concurrency", "2")
    installation.upstream.behave[:] = ["slow", "slow"]
    before = len(installation.upstream.seen)
    with ThreadPoolExecutor(2) as pool:
        inside = [pool.submit(installation.call, "/v1/chat/completions", CHAT, key) for _ in range(2)]
        until(lambda: len(installation.upstream.seen) == before + 2)
        started = time.monotonic()
        status, answer, headers = installation.call("/v1/chat/completions", CHAT, key)
        assert time.monotonic() - started < 0.5
        assert (status, headers["retry-after"]) == (429, "1")
        assert [future.result()[0] for future in inside] == [200, 200]
    assert installation.call("/v1/chat/completions", CHAT, key)[0] == 200


def test_tokens_a_minute_hold_and_what_was_not_used_comes_back(installation: Installation) -> None:
    key = installation.manage("create_key", EMAIL, "--rpm", "0", "--tpm", "400")
    body = {**CHAT, "max_tokens": 300}
    seen = [installation.call("/v1/chat/completions", body, key) for _ in range(3)]
    assert [status for status, _, _ in seen] == [200] * 3, "each used 12 of the 360 it might have"
    assert int(seen[-1][2]["x-ratelimit-remaining-tokens"]) >= 300
    status, answer, _ = installation.call("/v1/chat/completions", {**CHAT, "max_tokens": 900}, key)
    assert (status, answer["error"]["code"]) == (429, "tokens_exceeded")


def test_programs_manage_keys(installation: Installation) -> None:
    boss = installation.manage("create_key", EMAIL, "--rpm", "0", "--scope", "keys", "--scope", "usage")
    assert installation.call("/v1/chat/completions", CHAT, boss)[0] == 403
    assert installation.call("/v1/keys", None, installation.key)[0] == 403
    status, made, _ = installation.call(
        "/v1/keys", {"name": "made", "models": ["bench/m"], "caps": {"day": "0.00005"}}, boss
    )
    assert status == 201, made
    assert installation.call("/v1/chat/completions", CHAT, made["secret"])[0] == 402, (
        "the cap is below what it may cost"
    )
    small = {**CHAT, "max_tokens": 3}
    assert installation.call(
        "/v1/chat/completions", {**small, "messages": [{"role": "user", "content": ""}]}, made["secret"]
    )[0] in (200, 402)
    status, answer, _ = installation.call("/v2/models/bench/doubler/infer", INFER, made["secret"])
    assert (status, answer["code"]) == (403, "model_not_allowed")
    status, rotated, _ = installation.call(f"/v1/keys/{made['id']}/rotate", {"overlap_seconds": 2}, boss)
    assert installation.call("/v1/key", None, rotated["secret"])[0] == 200
    assert installation.call("/v1/key", None, made["secret"])[0] == 200, "the old secret overlaps"
    until(lambda: installation.call("/v1/key", None, made["secret"])[0] == 401, 2.5)
    status, own, _ = installation.call("/v1/key", None, rotated["secret"])
    assert own["caps"]["day"]["limit"] == "0.00005"
    request = urllib.request.Request(
        f"{installation.url}/v1/keys/{made['id']}", method="DELETE", headers={"Authorization": f"Bearer {boss}"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        assert json.load(response)["revoked_at"]
    until(lambda: installation.call("/v1/key", None, rotated["secret"])[0] == 401, 1.5)
    for wrong in ({"name": ""}, {"name": "x", "scopes": ["all"]}, {"name": "x", "networks": ["here"]}, {"nme": "x"}):
        assert installation.call("/v1/keys", wrong, boss)[0] == 422


def test_a_token_for_a_web_page_is_good_for_one_model_and_one_origin(installation: Installation) -> None:
    boss = installation.manage("create_key", EMAIL, "--rpm", "0", "--scope", "keys")
    page = "https://shop.example"
    status, made, _ = installation.call("/v1/tokens", {"model": "bench/m", "max_cost": "0.01", "origin": page}, boss)
    assert status == 201, made
    token = made["token"]
    status, answer, headers = installation.call("/v1/chat/completions", CHAT, token, Origin=page)
    assert (status, headers["access-control-allow-origin"]) == (200, page)
    assert installation.call("/v1/chat/completions", CHAT, token, Origin="https://evil.example")[0] == 403
    assert installation.call("/v2/models/bench/doubler/infer", INFER, token)[0] == 403
    asks = urllib.request.Request(
        f"{installation.url}/v1/chat/completions", method="OPTIONS",
        headers={"Origin": page, "Access-Control-Request-Method": "POST"},
    )  # fmt: skip
    with urllib.request.urlopen(asks, timeout=10) as response:
        assert response.status == 204
        assert response.headers["access-control-allow-origin"] == page


def test_a_key_opens_from_its_networks_only_and_until_it_expires(installation: Installation) -> None:
    away = installation.manage("create_key", EMAIL, "--rpm", "0", "--network", "192.0.2.0/24")
    status, answer, _ = installation.call("/v1/chat/completions", CHAT, away)
    assert (status, answer["error"]["code"]) == (403, "network_refused")
    here = installation.manage("create_key", EMAIL, "--rpm", "0", "--network", "127.0.0.0/8", "--days", "0.00002")
    assert installation.call("/v1/chat/completions", CHAT, here)[0] in (200, 401)
    until(lambda: installation.call("/v1/chat/completions", CHAT, here)[0] == 401, 2.5)


@pytest.mark.slow
def test_a_new_version_gets_its_share_of_the_calls(installation: Installation, saved_model: Any) -> None:
    for _ in range(2):
        installation.manage(
            "add_model", "bench/canary", "--task", "tensor", "--engine", "tensorflow", "--source", str(saved_model)
        )
    installation.manage("split", "bench/canary", "1=50", "2=50")
    time.sleep(1.1)
    versions = [installation.call("/v2/models/bench/canary/infer", INFER)[1]["model_version"] for _ in range(40)]
    assert set(versions) == {"1", "2"}
    installation.manage("split", "bench/canary")
    time.sleep(1.1)
    versions = [installation.call("/v2/models/bench/canary/infer", INFER)[1]["model_version"] for _ in range(10)]
    assert set(versions) == {"2"}
    installation.manage("split", "bench/canary", "9=1", fails=2)


def test_replicas_come_and_go_without_a_failed_request(installation: Installation) -> None:
    from tests.fixtures.upstream import Upstream

    other = Upstream()
    name = "bench/moving"
    installation.manage(
        "add_model", name, "--task", "chat", "--engine", "openai", "--source", installation.upstream.url
    )
    installation.manage("replica", "add", name, installation.upstream.url)
    statuses: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            statuses.append(installation.call("/v1/chat/completions", {**CHAT, "model": name})[0])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        installation.manage("replica", "add", name, other.url)
        time.sleep(1.2)
        installation.manage("replica", "drain", name, installation.upstream.url)
        time.sleep(1.5)
        mine = len(installation.upstream.seen)
        time.sleep(0.5)
        assert len(installation.upstream.seen) == mine, "a drained replica gets no new work"
        assert other.seen
        listed = json.loads(installation.manage("replica", "remove", name, installation.upstream.url))
        assert sorted(row["state"] for row in listed) == ["active", "removed"]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        other.shutdown()
        other.server_close()
    assert set(statuses) == {200}
