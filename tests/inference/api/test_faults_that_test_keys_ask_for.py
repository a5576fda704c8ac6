"""Test keys in every protocol: the same made-up answer each time, for nothing, and the faults that they ask for."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

import pytest

from tests.fixtures.serving import EMAIL, Installation
from tests.inference.api.test_every_answer_says import ask

MESSAGES = [{"role": "user", "content": "hello"}]
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"model": "bench/m", "messages": MESSAGES}),
    "completions": ("/v1/completions", {"model": "bench/m", "prompt": "hello"}),
    "responses": ("/v1/responses", {"model": "bench/m", "input": "hello"}),
    "messages": ("/v1/messages", {"model": "bench/m", "max_tokens": 20, "messages": MESSAGES}),
    "embeddings": ("/v1/embeddings", {"model": "bench/vectors", "input": ["hello", "you"]}),
    "images": ("/v1/images/generations", {"model": "bench/painter", "prompt": "a cat"}),
    "predictions": ("/v1/models/bench/painter/predictions", {"input": {"prompt": "a cat"}}),
    "oip": (
        "/v2/models/bench/doubler/infer",
        {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]},
    ),
    "tensorflow serving": ("/v1/models/bench/doubler:predict", {"instances": [[1, 2, 3]]}),
}
STREAMS = ("chat", "completions", "responses", "messages")
TELLS_TIME = {"id", "created", "created_at", "completed_at", "usage", "metrics"}


@pytest.fixture(scope="module")
def key(installation: Installation) -> str:
    return installation.manage("create_key", EMAIL, "--test", "--rpm", "0")


def answer_of(content: bytes) -> Any:
    """Without ids and times, at the top and one below it."""
    told = {name: value for name, value in json.loads(content).items() if name not in TELLS_TIME}
    for item in told.get("output") if isinstance(told.get("output"), list) else ():
        item.pop("id", None)
    return told


@pytest.mark.parametrize("protocol", CALLS)
def test_a_test_key_gets_the_same_answer_for_nothing(installation: Installation, key: str, protocol: str) -> None:
    path, body = CALLS[protocol]
    asked = len(installation.upstream.seen)
    seen = [ask(installation, "POST", path, body, key) for _ in range(2)]
    assert [status for status, _, _ in seen] == [200, 200], seen
    assert answer_of(seen[0][2]) == answer_of(seen[1][2])
    assert {headers["x-mercato-cost"] for _, headers, _ in seen} == {"0.00"}
    assert len(installation.upstream.seen) == asked


@pytest.mark.parametrize("protocol", CALLS)
def test_faults_come_as_they_were_asked_for(installation: Installation, key: str, protocol: str) -> None:
    path, body = CALLS[protocol]
    status, headers, content = ask(installation, "POST", path, body, key, **{"x-test-fault": "429"})
    assert (status, headers["retry-after"], headers["x-should-retry"]) == (429, "1", "true"), content
    status, headers, content = ask(installation, "POST", path, body, key, **{"x-test-fault": "mid_stream"})
    assert (status, headers["retry-after"]) == (502, "1"), content
    started = time.monotonic()
    assert ask(installation, "POST", path, body, key, **{"x-test-fault": "slow"})[0] == 200
    assert time.monotonic() - started > 2.5
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        ask(installation, "POST", path, body, key, **{"x-test-fault": "disconnect"})
    status, headers, content = ask(installation, "POST", path, body, key, **{"x-test-fault": "fire"})
    assert (status, b"fault_unknown" in content or protocol == "messages") == (422, True), content


@pytest.mark.parametrize("protocol", STREAMS)
def test_streams_break_where_they_were_asked_to(installation: Installation, key: str, protocol: str) -> None:
    path, body = CALLS[protocol]
    body = {**body, "stream": True}
    status, _, content = ask(installation, "POST", path, body, key, **{"x-test-fault": "mid_stream"})
    assert (status, b"in the middle" in content) == (200, True)
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        ask(installation, "POST", path, body, key, **{"x-test-fault": "disconnect"})


def test_who_was_cut_off_gets_the_answer_by_the_same_idempotency_key(installation: Installation, key: str) -> None:
    path, body = CALLS["chat"]
    headers = {"x-test-fault": "disconnect", "Idempotency-Key": "cut off"}
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        ask(installation, "POST", path, body, key, **headers)
    status, said, content = ask(installation, "POST", path, body, key, **headers)
    assert (status, said["idempotent-replayed"]) == (200, "true")
    assert json.loads(content)["choices"]


def test_a_real_key_cannot_ask_for_a_fault(installation: Installation) -> None:
    for path, body in CALLS.values():
        status, _, content = ask(installation, "POST", path, body, installation.key, **{"x-test-fault": "429"})
        assert (status, b"x-test-fault is for test keys" in content) == (422, True), path
