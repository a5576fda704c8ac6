"""Whatever is wrong with a request: the right status, a code, a sentence that says what to change, nothing billed."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.working import until

CHAT, INFER, PREDICT = "/v1/chat/completions", "/v2/models/bench/doubler/infer", "/v1/models/bench/doubler/predictions"
MESSAGES = [{"role": "user", "content": "SECRET-PAYLOAD"}]
TENSOR = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}
DEEP: Any = "x"
for _ in range(80):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "param"),
    [
        (CHAT, b"{not json", 400, "invalid_json", None),
        (CHAT, b"\xff\xfe", 400, "invalid_json", None),
        (CHAT, {"model": "bench/m", "messages": DEEP}, 400, "invalid_json", None),
        (CHAT, [], 422, "input_invalid", ""),
        (CHAT, {"messages": MESSAGES}, 422, "input_invalid", "/model"),
        (CHAT, {"model": 7, "messages": MESSAGES}, 422, "input_invalid", "/model"),
        (CHAT, {"model": "bench/m"}, 422, "input_invalid", ""),
        (CHAT, {"model": "bench/m", "messages": "hi"}, 422, "input_invalid", "/messages"),
        (CHAT, {"model": "bench/m", "messages": [{"content": "hi"}]}, 422, "input_invalid", "/messages/0"),
        (CHAT, {"model": "bench/m", "messages": [{"role": "boss"}]}, 422, "input_invalid", "/messages/0/role"),
        (CHAT, {"model": "bench/m", "messages": MESSAGES, "max_tokens": -1}, 422, "input_invalid", "/max_tokens"),
        (CHAT, {"model": "bench/m", "messages": MESSAGES, "stream": "yes"}, 422, "input_invalid", "/stream"),
        (CHAT, {"model": "bench/none", "messages": MESSAGES}, 404, "model_not_found", "/model"),
        (CHAT, {"model": "bench/m@99", "messages": MESSAGES}, 404, "model_not_found", "/model"),
        (CHAT, {"model": "bench/doubler", "messages": MESSAGES}, 400, "wrong_protocol", None),
        (INFER, {}, 422, "input_invalid", "/inputs"),
        (INFER, {"inputs": [{**TENSOR, "name": "y"}]}, 422, "input_invalid", "/inputs/0/name"),
        (INFER, {"inputs": [{**TENSOR, "datatype": "INT8"}]}, 422, "input_invalid", "/inputs/0/datatype"),
        (INFER, {"inputs": [{**TENSOR, "shape": [1, 4]}]}, 422, "input_invalid", "/inputs/0/data"),
        (INFER, {"inputs": [{**TENSOR, "shape": [3]}]}, 422, "input_invalid", "/inputs/0/data"),
        (INFER, {"inputs": [{**TENSOR, "shape": [0, 3], "data": []}]}, 422, "input_invalid", "/inputs/0/shape"),
        (INFER, {"inputs": [{**TENSOR, "data": ["a", "b", "c"]}]}, 422, "input_invalid", "/inputs/0/data"),
        ("/v2/models/bench/none/infer", {"inputs": [TENSOR]}, 404, "model_not_found", "/model"),
        (PREDICT, {}, 422, "input_invalid", "/input"),
        (PREDICT, {"input": {}, "inptu": 1}, 422, "input_invalid", "/inptu"),
        (PREDICT, {"input": {"inputs": {}}}, 422, "input_invalid", "/input/inputs"),
        (PREDICT, {"input": {"inputs": {"x": [[1, 2]]}}}, 422, "input_invalid", "/input/inputs/x"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_named(
    installation: Installation, path: str, body: Any, status: int, code: str, param: str | None
) -> None:
    before = installation.call("/v1/usage")[1]["total_nanos"]
    got, answer, headers = installation.call(path, body)
    error = answer if path.startswith("/v2") else answer["error"]
    assert (got, error["code"], error["param"]) == (status, code, param), answer
    assert len(error["error" if path.startswith("/v2") else "message"]) > 15
    assert headers["x-request-id"].startswith("req_")
    assert headers["x-mercato-cost"] == "0.00"
    assert installation.call("/v1/usage")[1]["total_nanos"] == before


@pytest.mark.parametrize("key", ["", "mk_wrong", "mke_forged"])
def test_a_key_that_opens_nothing_is_401(installation: Installation, key: str) -> None:
    status, answer, _ = installation.call(INFER, {"inputs": [TENSOR]}, key or "x")
    assert (status, answer["code"]) == (401, "invalid_api_key")


def test_no_key_at_all_is_401(installation: Installation) -> None:
    status, answer, headers = installation.call(CHAT, {"model": "bench/m", "messages": MESSAGES}, key="")
    assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
    assert headers["www-authenticate"].startswith("Bearer")


def test_another_content_type_is_415(installation: Installation) -> None:
    status, answer, _ = installation.call(CHAT, b"model=x", **{"Content-Type": "text/plain"})
    assert (status, answer["error"]["code"]) == (415, "unsupported_media_type")


def test_a_body_too_large_is_refused_before_it_is_read(installation: Installation) -> None:
    with socket.create_connection(("127.0.0.1", installation.port), 10) as connection:
        connection.sendall(
            f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {installation.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: 999999999\r\n\r\n".encode()
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")


def test_a_revoked_key_stops_within_a_second(installation: Installation) -> None:
    key = installation.manage("create_key", EMAIL, "--name", "to be revoked")
    assert installation.call("/v1/models", key=key)[0] == 200
    revoke = (
        "from portal.accounts.keys.issuing import revoke; from portal.accounts.models import Key; "
        "revoke(Key.objects.get(name='to be revoked'))"
    )
    installation.manage("shell", "-c", revoke)
    until(lambda: installation.call("/v1/models", key=key)[0] == 401, 1.5)


def test_a_workspace_without_budget_is_told_what_it_has(installation: Installation) -> None:
    installation.manage("create_account", "poor@example.com", "--password", "poor-Passw0rd!")
    key = installation.manage("create_key", "poor@example.com", "--rpm", "0", "--cap", "0.00015")
    seen = [installation.call(INFER, {"inputs": [TENSOR]}, key) for _ in range(2)]
    assert seen[0][0] == 200
    status, answer, headers = seen[1]
    assert (status, answer["code"]) == (402, "insufficient_quota")
    assert "$0.00005" in answer["error"]
    assert headers["x-should-retry"] == "false"


def test_logs_hold_neither_keys_nor_payloads(installation: Installation) -> None:
    installation.call(CHAT, {"model": "bench/m", "messages": MESSAGES, "max_tokens": -1})
    installation.call(CHAT, b'{"SECRET-PAYLOAD": ')
    log = (installation.data_dir / "web.log").read_text()
    assert "SECRET-PAYLOAD" not in log
    assert installation.key not in log


@pytest.mark.parametrize(
    "arguments",
    [
        ["create_account", "not-an-address", "--password", "long-Passw0rd!"],
        ["create_account", "new@example.com", "--password", "short"],
        ["create_account", EMAIL, "--password", "long-Passw0rd!"],
        ["create_account", "new@example.com", "--password", "long-Passw0rd!", "--credit", "-1"],
        ["create_key", "nobody@example.com"],
        ["create_key", EMAIL, "--cap", "much"],
        ["add_model", "noslash", "--task", "chat", "--engine", "openai", "--source", "http://x"],
        ["add_model", "a/b", "--task", "nothing", "--engine", "openai", "--source", "http://x"],
        ["add_model", "a/b", "--task", "chat", "--engine", "magic", "--source", "http://x"],
        ["add_model", "a/b", "--task", "chat", "--engine", "openai", "--source", "ftp://x"],
        ["add_model", "a/b", "--task", "tensor", "--engine", "tensorflow", "--source", "/nowhere"],
        ["add_model", "a/B!", "--task", "chat", "--engine", "openai", "--source", "http://x"],
        ["usage", "nobody@example.com"],
        ["usage", EMAIL, "--since", "yesterday"],
    ],
    ids=" ".join,
)
def test_a_command_refuses_bad_input_with_a_sentence(installation: Installation, arguments: list[str]) -> None:
    said = installation.manage(*arguments, fails=2)
    assert "Traceback" not in said
    assert len(said) > 10
