"""Every answer, good or bad, says who it was, what it cost and what is left; every refusal whether waiting helps."""

from __future__ import annotations

import http.client
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from portal.accounts.wire import problems
from portal.kit.errors import Problem
from tests.fixtures.serving import EMAIL, Installation

CHAT = {"model": "bench/m", "messages": [{"role": "user", "content": "hello"}]}
INFER = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}
NOWHERE = {"/v1/nothing/here", "/v1/chat/completions/", "/v2/nothing", "/v1/messages/batches"}  # asks for no key
DURATION = re.compile(r"\d+(\.\d+)?s")
SCOPES = ("--scope", "inference", "--scope", "usage", "--scope", "keys")


def ask(installation: Installation, method: str, path: str, body: Any = None, key: str = "", **headers: str) -> Any:
    """Status, headers (lower case) and bytes."""
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    sent = {"Content-Type": "application/json", **headers, **({"Authorization": f"Bearer {key}"} if key else {})}
    with closing(http.client.HTTPConnection("127.0.0.1", installation.port, timeout=30)) as connection:
        connection.request(method, path, data, sent)
        with connection.getresponse() as response:
            content = response.read()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, content


@pytest.fixture(scope="module")
def boss(installation: Installation) -> str:
    return installation.manage("create_key", EMAIL, "--rpm", "500", "--tpm", "100000", *SCOPES)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/chat/completions", CHAT, 200),
        ("POST", "/v1/chat/completions", {**CHAT, "stream": True}, 200),
        ("POST", "/v2/models/bench/doubler/infer", INFER, 200),
        ("GET", "/v1/models", None, 200),
        ("GET", "/v1/usage", None, 200),
        ("GET", "/v1/key", None, 200),
        ("GET", "/v1/keys", None, 200),
        ("POST", "/v1/keys", {"name": "one more"}, 201),
        ("POST", "/v1/quotes", CHAT, 201),
        ("GET", "/v1/webhooks", None, 200),
        ("GET", "/v1/keys/none", None, 404),
        ("GET", "/v1/nothing/here", None, 404),
        ("POST", "/v1/chat/completions/", CHAT, 404),
        ("GET", "/v2/nothing", None, 404),
        ("POST", "/v1/messages/batches", {}, 404),
        ("GET", "/v1/chat/completions", None, 405),
        ("DELETE", "/v1/usage", None, 405),
        ("PUT", "/v1/keys", {}, 405),
        ("POST", "/v1/chat/completions", b"{", 400),
        ("POST", "/v1/chat/completions", {"model": "bench/none", "messages": []}, 404),
        ("POST", "/v1/messages", {"model": "bench/m"}, 422),
    ],
    ids=str,
)
def test_every_answer_has_its_id_its_cost_and_what_is_left(
    installation: Installation, boss: str, method: str, path: str, body: Any, status: int
) -> None:
    got, headers, content = ask(installation, method, path, body, boss)
    assert got == status, content
    assert headers["x-request-id"].startswith("req_")
    if headers["content-type"] != "text/event-stream":
        assert headers["content-type"] == "application/json"
        assert float(headers["x-mercato-cost"]) >= 0
    assert headers["x-ratelimit-limit-requests"] == ("0" if path in NOWHERE else "500")
    if path not in NOWHERE:
        assert 0 <= int(headers["x-ratelimit-remaining-requests"]) <= 500
        assert DURATION.fullmatch(headers["x-ratelimit-reset-requests"])
        assert headers["x-ratelimit-limit-tokens"] == "100000"
        assert int(headers["x-ratelimit-remaining-tokens"]) <= 100000
        assert DURATION.fullmatch(headers["x-ratelimit-reset-tokens"])
    if got >= 400:
        assert headers["x-should-retry"] == "false"
        assert "retry-after" not in headers
    if got == 405:
        assert method not in headers["allow"].split(", ")


def test_who_has_no_limit_is_told_so_in_one_way(installation: Installation) -> None:
    for status, headers, _ in (
        ask(installation, "POST", "/v1/chat/completions", CHAT, installation.key),
        ask(installation, "POST", "/v1/chat/completions", CHAT),
        ask(installation, "GET", "/v1/nothing"),
        ask(installation, "GET", "/v2"),
        ask(installation, "GET", "/v2/health/live"),
        ask(installation, "GET", "/v2/health/ready"),
    ):
        told = {name: value for name, value in headers.items() if name.startswith("x-ratelimit")}
        assert told == {"x-ratelimit-limit-requests": "0", "x-ratelimit-limit-tokens": "0"}, status
        assert headers["x-request-id"].startswith("req_")


def test_what_is_nowhere_is_said_in_the_shape_of_its_protocol(installation: Installation) -> None:
    for path, shape in (("/v1/none", "error.code"), ("/v2/none", "code"), ("/v1/messages/none", "error.type")):
        status, headers, content = ask(installation, "POST", path, {})
        assert (status, headers["content-type"]) == (404, "application/json")
        found = json.loads(content)
        for name in shape.split("."):
            found = found[name]
        assert "not_found" in found


def test_a_body_too_large_and_a_file_and_a_refusal_say_it_too(installation: Installation, boss: str) -> None:
    large = {"Content-Length": str(10 * 1024**2 + 1)}
    status, headers, _ = ask(installation, "POST", "/v1/chat/completions", None, boss, **large)
    assert (status, headers["x-should-retry"]) == (413, "false")
    assert headers["x-request-id"].startswith("req_")
    form = (
        b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="f.jsonl"\r\n\r\n{}\n\r\n--b--\r\n'
    )
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    status, _, content = ask(installation, "POST", "/v1/files", form, boss, **kind)
    assert status == 200, content
    status, headers, content = ask(installation, "GET", f"/v1/files/{json.loads(content)['id']}/content", None, boss)
    assert (status, content) == (200, b"{}\n")
    assert headers["x-mercato-cost"] == "0.00"
    assert headers["x-ratelimit-limit-requests"] == "500"


def test_who_goes_over_the_limit_is_told_when_to_come_back(installation: Installation) -> None:
    key = installation.manage("create_key", EMAIL, "--rpm", "2", "--tpm", "100")
    left = [ask(installation, "GET", "/v1/models", None, key)[1]["x-ratelimit-remaining-requests"] for _ in range(2)]
    assert left == ["1", "0"]
    status, headers, content = ask(installation, "GET", "/v1/models", None, key)
    assert (status, headers["x-should-retry"]) == (429, "true")
    assert 1 <= int(headers["retry-after"]) <= 60
    assert headers["x-ratelimit-remaining-requests"] == "0"
    status, own, _ = installation.call("/v1/key", None, key)
    assert (status, own["left"]["requests"]) == (200, 0), "the question itself is not counted, nor refused"


def test_a_request_that_no_waiting_lets_through_says_so(installation: Installation) -> None:
    key = installation.manage("create_key", EMAIL, "--rpm", "0", "--tpm", "100")
    status, headers, content = ask(installation, "POST", "/v1/chat/completions", {**CHAT, "max_tokens": 200}, key)
    assert (status, json.loads(content)["error"]["code"]) == (429, "tokens_exceeded")
    assert headers["x-should-retry"] == "false"
    assert "retry-after" not in headers


def test_a_failing_upstream_may_be_asked_again(installation: Installation) -> None:
    installation.upstream.behave[:] = ["500"]
    status, headers, _ = ask(installation, "POST", "/v1/chat/completions", CHAT, installation.key)
    assert (status, headers["retry-after"], headers["x-should-retry"]) == (502, "1", "true")
    assert headers["x-mercato-cost"] == "0.00"


def every_problem(base: type[Problem] = Problem) -> Iterator[type[Problem]]:
    for kind in base.__subclasses__():
        yield kind
        yield from every_problem(kind)


def test_every_problem_says_either_when_to_come_back_or_not_to() -> None:
    import billing
    import inference
    import marketplace
    import portal

    for room in (billing, inference, marketplace, portal):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if re.search(r"errors|api|wire|keys|later|catalog|stripe\.inbox|access|statements", module.name):
                importlib.import_module(module.name)
    kinds = set(every_problem())
    assert len(kinds) > 30
    for kind in kinds:
        told = problems.headers(kind("wrong"))
        assert not ("Retry-After" in told and told["x-should-retry"] == "false"), kind
        if kind.status in (502, 503, 504) or (kind.status == 429 and kind.__name__ != "TokensExceeded"):
            assert "Retry-After" in told, kind
        elif kind.code != "idempotency_key_in_use":
            assert told == ({} if kind.status >= 500 else {"x-should-retry": "false"}), kind


def test_a_key_is_told_what_is_left_of_all_its_limits(installation: Installation, boss: str) -> None:
    _, made, _ = installation.call(
        "/v1/keys",
        {"name": "limited", "rpm": 7, "tpm": 5000, "concurrency": 3, "caps": {"day": "0.50", "total": "2"}},
        boss,
    )
    assert installation.call("/v1/chat/completions", CHAT, made["secret"])[0] == 200
    status, own, headers = installation.call("/v1/key", None, made["secret"])
    assert status == 200
    assert own["left"]["requests"] == 6 == int(headers["x-ratelimit-remaining-requests"])
    assert own["left"]["tokens"] == 5000 - 12
    assert own["left"]["concurrency"] == 3
    assert own["left"]["caps"] == {"day": "0.499985", "total": "1.999985"}, "what is lent and not spent is left"
    assert own["left"]["cost"] == "0.499985"
    assert own["resets_at"]["requests"] > "2"
    assert own["resets_at"]["caps"]["day"].endswith("T00:00:00+00:00")
    assert own["resets_at"]["caps"]["total"] is None
    workspace = own["workspace"]
    assert workspace["plan"] == "free"
    assert float(workspace["spendable"]) == pytest.approx(float(workspace["promo"]) + float(workspace["credit"]))
    assert 90 < float(workspace["spendable"]) < 102
    assert installation.call("/v1/key", None, made["secret"])[1]["left"]["requests"] == 6


def test_every_key_may_ask_about_itself_and_the_unlimited_have_no_end(installation: Installation) -> None:
    key = installation.manage("create_key", EMAIL, "--rpm", "0", "--scope", "inference")
    status, own, _ = installation.call("/v1/key", None, key)
    assert status == 200
    assert (own["left"]["requests"], own["left"]["tokens"], own["left"]["concurrency"]) == (None, None, None)
    assert own["left"]["cost"] == own["workspace"]["spendable"]
