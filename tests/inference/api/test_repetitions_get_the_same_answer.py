"""Idempotency-Key on every POST, and the response cache: one execution, one charge, the same answer for all."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import openai
import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from inference.idempotency import keeping, working
from inference.idempotency.keeping import Attempt, KeyInUse
from inference.idempotency.models import KeptAnswer
from portal.accounts.keys.issuing import Limits, issue
from portal.accounts.keys.scopes import SCOPES
from portal.accounts.models import Workspace
from portal.accounts.wire.view import KeyedView
from tests.fixtures.serving import EMAIL, Installation
from tests.inference.api.test_every_answer_says import ask

CHAT = {"model": "bench/m", "messages": [{"role": "user", "content": "hello"}]}
INFER = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}
PREDICT = "/v1/models/bench/painter/predictions"
ALL = [word for scope in SCOPES for word in ("--scope", scope)]


@pytest.fixture(scope="module")
def boss(installation: Installation) -> str:
    return installation.manage("create_key", EMAIL, "--rpm", "0", *ALL)


def log(installation: Installation) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = installation.used()["events"]
    return rows


def posts(resolver: URLResolver | None = None, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every address of the interface that takes a POST, and its view."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from posts(entry, route)
        elif isinstance(entry, URLPattern) and route.startswith(("v1", "v2")):
            view = getattr(entry.callback, "view_class", None)
            if view is None or hasattr(view, "post"):
                yield route, view


@pytest.mark.django_db(transaction=True)
def test_every_post_of_the_interface_takes_an_idempotency_key(workspace: Workspace) -> None:
    _, secret = issue(workspace, "all", limits=Limits(rpm=0, scopes=list(SCOPES)))
    views = {route: view for route, view in posts() if view is not None}
    assert len(views) > 25
    for route, view in views.items():
        assert issubclass(view, KeyedView), route
        path = "/" + re.sub(r"<[^>]+>", "x", route)
        headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "k" * 256}
        answer = Client().post(path, b"{}", content_type="application/json", headers=headers)
        assert (answer.status_code, b"idempotency_key_invalid" in answer.content) == (400, True), path


@pytest.mark.parametrize(
    ("path", "body", "secret"),
    [
        ("/v1/keys", {"name": "twice"}, "secret"),
        ("/v1/tokens", {"model": "bench/m"}, "token"),
        ("/v1/webhooks", {"url": "http://127.0.0.1:9/hook"}, "secret"),
    ],
)
def test_what_makes_a_secret_makes_one_and_keeps_it_sealed(
    installation: Installation, boss: str, path: str, body: Any, secret: str
) -> None:
    header = {"Idempotency-Key": f"one {path}"}
    answers = [installation.call(path, body, boss, **header) for _ in range(3)]
    assert {status for status, _, _ in answers} == {201}
    assert len({answer[secret] for _, answer, _ in answers}) == 1
    assert [said.get("idempotent-replayed") for _, _, said in answers] == [None, "true", "true"]
    found = (
        "from inference.idempotency.models import KeptAnswer; kept = [bytes(row.body) for row in KeptAnswer.objects.all()];"
        f"print(len(kept) > 0, any({answers[0][1][secret].encode()!r} in body for body in kept))"
    )
    assert installation.manage("shell", "-v0", "-c", found).splitlines()[-1] == "True False", "a secret lies open"
    assert installation.call(path, {**body, "events": []}, boss, **header)[0] == 422


def test_a_key_is_rotated_once(installation: Installation, boss: str) -> None:
    _, made, _ = installation.call("/v1/keys", {"name": "to rotate"}, boss)
    header = {"Idempotency-Key": "rotate"}
    seen = [installation.call(f"/v1/keys/{made['id']}/rotate", {}, boss, **header)[1]["secret"] for _ in range(2)]
    assert seen[0] == seen[1] != made["secret"]
    assert installation.call("/v1/key", None, seen[0])[0] == 200


@pytest.mark.parametrize("streams", [False, True])
def test_the_sdk_that_repeats_itself_at_once_gets_one_answer(installation: Installation, streams: bool) -> None:
    installation.upstream.behave[:] = ["slow"]
    before = len(log(installation))
    client = openai.OpenAI(base_url=f"{installation.url}/v1", api_key=installation.key)  # with its two retries

    def ask_once(_: int) -> str:
        header = {"Idempotency-Key": f"sdk {streams}"}
        got = client.chat.completions.with_raw_response.create(**CHAT, stream=streams, extra_headers=header)
        return got.http_response.read().decode() if streams else got.text

    with ThreadPoolExecutor(5) as pool:
        answers = set(pool.map(ask_once, range(5)))
    assert len(answers) == 1
    assert ("[DONE]" in answers.pop()) == streams
    rows = log(installation)[before:]
    assert sorted(row["status"] for row in rows) == ["replayed"] * 4 + ["succeeded"], "a request is a row"
    assert len({row["operation_id"] for row in rows}) == 1
    assert len({row["request_id"] for row in rows}) == 5
    assert sum(row["cost_nanos"] > 0 for row in rows) == 1
    assert all(row["model"] == "bench/m" for row in rows)


def test_who_comes_too_early_is_told_to_wait_and_may_ask_again(installation: Installation) -> None:
    installation.upstream.behave[:] = ["slow"]
    header = {"Idempotency-Key": "early"}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(installation.call, "/v1/chat/completions", CHAT, **header)
        time.sleep(0.5)
        status, answer, said = installation.call("/v1/chat/completions", CHAT, **header)
        assert (status, answer["error"]["code"]) == (409, "idempotency_key_in_use")
        assert (said["retry-after"], said["x-should-retry"]) == ("1", "true")
        assert first.result()[0] == 200


def test_a_stream_is_there_for_others_as_soon_as_its_end_is_seen(installation: Installation) -> None:
    body, header = {**CHAT, "stream": True}, {"Idempotency-Key": "end of stream"}
    first = ask(installation, "POST", "/v1/chat/completions", body, installation.key, **header)
    second = ask(installation, "POST", "/v1/chat/completions", body, installation.key, **header)
    assert (first[0], second[0]) == (200, 200)
    assert first[2] == second[2]


def test_a_binary_answer_can_be_read_again(installation: Installation) -> None:
    body = {**INFER, "parameters": {"binary_data_output": True}}
    for header, first in (({"Idempotency-Key": "binary"}, "idempotent-replayed"), ({"x-mercato-cache": "60"}, "age")):
        seen = [
            ask(installation, "POST", "/v2/models/bench/doubler/infer", body, installation.key, **header)
            for _ in range(2)
        ]
        assert first in seen[1][1]
        assert seen[0][2] == seen[1][2]
        for _, said, content in seen:
            told = json.loads(content[: int(said["inference-header-content-length"])])
            assert {one["name"]: one["parameters"]["binary_data_size"] for one in told["outputs"]} == {
                "doubled": 12,
                "sum": 4,
            }


def test_a_queued_prediction_is_queued_once(installation: Installation) -> None:
    header = {"Idempotency-Key": "queued", "Prefer": "respond-async"}
    body = {"input": {"prompt": "later"}}
    seen = [installation.call(PREDICT, body, **header) for _ in range(2)]
    assert [status for status, _, _ in seen] == [202, 202]
    assert seen[0][1] == seen[1][1]
    assert seen[0][2]["location"] == seen[1][2]["location"]
    assert "x-queue-position" in seen[1][2]


def test_a_form_is_the_same_whatever_stands_between_its_parts(installation: Installation) -> None:
    def send(boundary: str, prompt: str) -> Any:
        part = f'--{boundary}\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n{prompt}\r\n--{boundary}--\r\n'
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Idempotency-Key": "form"}
        return installation.call(PREDICT, part.encode(), **kind)

    first, again, other = send("aaa", "a cat"), send("bbb", "a cat"), send("ccc", "a dog")
    assert (first[0], again[0], other[0]) == (200, 200, 422)
    assert first[1] == again[1]


def test_a_large_file_is_uploaded_once(installation: Installation) -> None:
    lines = b'{"custom_id": "a"}\n' * 700_000  # more than a JSON body may have

    def send(boundary: bytes) -> Any:
        form = (
            b'--%s\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--%s\r\nContent-Disposition: '
            b'form-data; name="file"; filename="f.jsonl"\r\n\r\n%s\r\n--%s--\r\n'
        ) % (boundary, boundary, lines, boundary)
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary.decode()}", "Idempotency-Key": "file"}
        return installation.call("/v1/files", form, **kind)

    first, again = send(b"first"), send(b"second")
    assert (first[0], again[0]) == (200, 200), first
    assert first[1]["id"] == again[1]["id"]
    assert first[1]["bytes"] == len(lines)


def test_test_keys_and_real_ones_share_no_answers(installation: Installation) -> None:
    test = installation.manage("create_key", EMAIL, "--test", "--rpm", "0")
    for header in ({"Idempotency-Key": "both"}, {"x-mercato-cache": "60"}):
        body = {**CHAT, "temperature": 0.5}
        made_up = installation.call("/v1/chat/completions", body, test, **header)[1]
        real = installation.call("/v1/chat/completions", body, **header)[1]
        assert real["choices"][0]["message"]["content"] == "hello there"
        assert made_up["choices"][0]["message"]["content"] != "hello there"


def test_a_key_for_some_models_gets_no_answer_of_another_from_memory(installation: Installation, boss: str) -> None:
    body, header = {**CHAT, "temperature": 0.75}, {"x-mercato-cache": "60"}
    assert installation.call("/v1/chat/completions", body, **header)[0] == 200
    _, made, _ = installation.call("/v1/keys", {"name": "one model", "models": ["bench/doubler"]}, boss)
    assert installation.call("/v1/chat/completions", body, made["secret"], **header)[0] == 403


def test_an_answer_from_memory_is_in_the_log_and_free(installation: Installation) -> None:
    body = {**CHAT, "temperature": 0.125}
    header = {"x-mercato-cache": "60", "x-operation-id": "mine"}
    first, second = (installation.call("/v1/chat/completions", body, **header) for _ in range(2))
    assert (first[2]["x-mercato-cache"], second[2]["x-mercato-cache"]) == ("miss", "hit")
    assert first[2]["x-request-id"] != second[2]["x-request-id"]
    row = log(installation)[-1]
    assert (row["status"], row["cost_nanos"], row["operation_id"]) == ("replayed", 0, "mine")
    assert row["request_id"] == second[2]["x-request-id"]
    assert installation.call("/v1/usage?limit=1")[1]["data"][0]["status"] == "replayed"


def test_only_what_models_say_is_cached(installation: Installation, boss: str) -> None:
    _, hook, _ = installation.call("/v1/webhooks", {"url": "http://127.0.0.1:9/cached"}, boss)
    path, header = f"/v1/webhooks/{hook['id']}/rotate", {"x-mercato-cache": "60"}
    first, second = (installation.call(path, {}, boss, **header) for _ in range(2))
    assert first[1]["secret"] != second[1]["secret"]
    assert "x-mercato-cache" not in second[2]


def test_the_cache_knows_forms_apart(installation: Installation) -> None:
    body, key = {"input": {"prompt": "forms"}}, installation.key
    kinds = []
    for accept in ("application/json", "application/xml", "application/json", "application/xml"):
        header = {"x-mercato-cache": "60", "Accept": accept}
        _, said, content = ask(installation, "POST", PREDICT, body, key, **header)
        kinds.append((said["content-type"].partition(";")[0], said["x-mercato-cache"], content[:1]))
    assert kinds == [
        ("application/json", "miss", b"{"), ("application/xml", "miss", b"<"),
        ("application/json", "hit", b"{"), ("application/xml", "hit", b"<"),
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_who_is_at_work_says_so_for_as_long_as_it_takes(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = (workspace.pk, "POST /v1/x", "slow one", "hash of the body")
    attempt = keeping.begin(*asked)
    assert isinstance(attempt, Attempt)
    KeptAnswer.objects.filter(pk=attempt.id).update(until=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(working, "TEND_EVERY_S", 0.0)
    assert working.tend() == 1
    with pytest.raises(KeyInUse):
        keeping.begin(*asked)
    keeping.keep(attempt, 200, {}, b"the answer")
    assert working.tend() == 0
    kept = keeping.begin(*asked)
    assert isinstance(kept, keeping.Kept)
    assert kept.body == b"the answer"


@pytest.mark.django_db(transaction=True)
def test_an_answer_sealed_with_another_secret_is_neither_given_nor_made_again(
    workspace: Workspace, settings: Any
) -> None:
    asked = (workspace.pk, "POST /v1/x", "sealed", "hash of the body")
    attempt = keeping.begin(*asked)
    assert isinstance(attempt, Attempt)
    keeping.keep(attempt, 200, {}, b"the answer")
    settings.SECRET_KEY = "another"
    with pytest.raises(keeping.AnswerUnreadable):
        keeping.begin(*asked)
