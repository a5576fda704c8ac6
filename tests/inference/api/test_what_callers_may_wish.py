"""Idempotency, ceilings, quotes, dry runs, test keys, fallbacks and the cache, on a real server."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from tests.fixtures.serving import EMAIL, Installation

MESSAGES = [{"role": "user", "content": "hello"}]
CHAT = {"model": "bench/m", "messages": MESSAGES}
INFER = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}


def sdk(installation: Installation, key: str = "") -> Any:
    return openai.OpenAI(base_url=f"{installation.url}/v1", api_key=key or installation.key, max_retries=0)


def settled(installation: Installation) -> tuple[int, int]:
    """How many events there are, and what they cost."""
    used = installation.used()
    return len(used["events"]), used["total_nanos"]


def test_a_key_used_many_times_at_once_runs_and_is_charged_once(installation: Installation) -> None:
    installation.upstream.behave[:] = ["slow"]
    before = settled(installation)
    headers = {"Idempotency-Key": "once"}

    def until_answered(_: int) -> tuple[int, Any, dict[str, str]]:
        while True:
            status, answer, said = installation.call("/v1/chat/completions", CHAT, **headers)
            if status != 409:
                return status, answer, said
            assert said["retry-after"] == "1"
            assert answer["error"]["code"] == "idempotency_key_in_use"
            time.sleep(0.1)

    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(until_answered, range(6)))
    assert {status for status, _, _ in got} == {200}
    assert len({json.dumps(answer) for _, answer, _ in got}) == 1
    assert sum("idempotent-replayed" in said for _, _, said in got) == 5
    after = settled(installation)
    assert (after[0] - before[0], after[1] - before[1]) == (1, 15_000)


def test_the_same_key_with_another_body_is_refused(installation: Installation) -> None:
    headers = {"Idempotency-Key": "mine"}
    assert installation.call("/v1/chat/completions", CHAT, **headers)[0] == 200
    status, answer, said = installation.call("/v1/chat/completions", {**CHAT, "temperature": 1}, **headers)
    assert (status, answer["error"]["code"], said["x-should-retry"]) == (422, "idempotency_key_reused", "false")


def test_a_failure_that_may_pass_is_not_kept(installation: Installation) -> None:
    installation.upstream.behave[:] = ["500"]
    headers = {"Idempotency-Key": "second time lucky"}
    assert installation.call("/v1/chat/completions", CHAT, **headers)[0] == 502
    assert installation.call("/v1/chat/completions", CHAT, **headers)[0] == 200


def test_a_stream_is_replayed_also_to_a_reader_who_left_the_first_time(installation: Installation) -> None:
    before = settled(installation)
    client = sdk(installation)
    asked = {**CHAT, "stream": True, "extra_headers": {"Idempotency-Key": "stream"}}
    first = client.chat.completions.create(**asked)
    next(iter(first))
    first.close()
    end = time.monotonic() + 10
    while True:
        try:
            again = list(client.chat.completions.create(**asked))
            break
        except openai.ConflictError:
            assert time.monotonic() < end
            time.sleep(0.1)
    assert "".join(c.choices[0].delta.content or "" for c in again if c.choices) == "w0 w1 w2 w3 "
    after = settled(installation)
    assert (after[0] - before[0], after[1] - before[1]) == (1, 17_000)


def test_generation_stops_at_max_cost_and_says_so(installation: Installation) -> None:
    # 61 bytes at most are read for $1 a million; then two tokens at $2 fit.
    status, answer, _ = installation.call("/v1/chat/completions", {**CHAT, "max_cost": "0.00007"})
    assert status == 200
    sent = installation.upstream.seen[-1]
    assert 1 <= sent["max_tokens"] < 16
    assert "max_cost" not in sent
    status, answer, headers = installation.call("/v1/chat/completions", {**CHAT, "max_cost": "0.000001"})
    assert (status, answer["error"]["code"]) == (402, "max_cost_exceeded")
    assert headers["x-should-retry"] == "false"
    status, answer, _ = installation.call("/v2/models/bench/doubler/infer", INFER, **{"x-max-cost": "0.00001"})
    assert (status, answer["code"]) == (402, "max_cost_exceeded")


def test_a_quote_holds_when_the_price_rises(installation: Installation) -> None:
    url = installation.upstream.url
    shape = ["--task", "chat", "--engine", "openai", "--source", url]
    installation.manage("add_model", "bench/quoted", *shape, "--price-output", "1")
    body = {**CHAT, "model": "bench/quoted"}
    status, quote, _ = installation.call("/v1/quotes", body)
    assert status == 201, quote
    installation.manage("add_model", "bench/quoted", *shape, "--price-output", "5")
    time.sleep(1.1)
    status, dear, _ = installation.call("/v1/chat/completions", body)
    assert dear["usage"]["cost"] == "0.000015"
    status, cheap, _ = installation.call("/v1/chat/completions", body, **{"x-quote-id": quote["id"]})
    assert cheap["usage"]["cost"] == "0.000003"
    status, other, _ = installation.call("/v1/chat/completions", CHAT, **{"x-quote-id": quote["id"]})
    assert (status, other["error"]["code"]) == (422, "quote_invalid")
    status, forged, _ = installation.call("/v1/chat/completions", body, **{"x-quote-id": quote["id"] + "x"})
    assert (status, forged["error"]["code"]) == (422, "quote_invalid")


def test_a_dry_run_names_the_replicas_and_bills_nothing(installation: Installation) -> None:
    before = settled(installation)
    status, route, _ = installation.call("/v1/route", CHAT)
    assert status == 200, route
    assert route["would_serve"]
    assert [place["would_serve"] for place in route["replicas"]] == [True]
    status, route, _ = installation.call("/v1/route", {"model": "bench/doubler", **INFER})
    assert route["engine"] == "tensorflow"
    assert settled(installation) == before


def test_test_keys_get_the_same_made_up_answer_for_nothing(installation: Installation) -> None:
    key = installation.manage("create_key", EMAIL, "--test", "--rpm", "0")
    assert key.startswith("mk_test_")
    before, asked = settled(installation)[1], len(installation.upstream.seen)
    answers = [installation.call("/v1/chat/completions", CHAT, key)[1] for _ in range(2)]
    assert answers[0]["choices"] == answers[1]["choices"]
    assert answers[0]["usage"]["cost"] == "0.00"
    status, tensors, _ = installation.call("/v2/models/bench/doubler/infer", INFER, key)
    assert tensors["outputs"][0]["data"]
    streamed = sdk(installation, key).chat.completions.create(**CHAT, stream=True)
    text = "".join(c.choices[0].delta.content or "" for c in streamed if c.choices)
    assert text == answers[0]["choices"][0]["message"]["content"]
    assert (settled(installation)[1], len(installation.upstream.seen)) == (before, asked)


def test_test_keys_get_the_faults_that_they_ask_for(installation: Installation) -> None:
    key = installation.manage("create_key", EMAIL, "--test", "--rpm", "0")
    status, _, headers = installation.call("/v1/chat/completions", CHAT, key, **{"x-test-fault": "429"})
    assert (status, headers["retry-after"]) == (429, "1")
    started = time.monotonic()
    assert installation.call("/v1/chat/completions", CHAT, key, **{"x-test-fault": "slow"})[0] == 200
    assert time.monotonic() - started > 2.5
    client = sdk(installation, key)
    with pytest.raises(openai.APIError, match="middle"):
        list(client.chat.completions.create(**CHAT, stream=True, extra_headers={"x-test-fault": "mid_stream"}))
    with pytest.raises(Exception, match=r"(?i)connection|peer|incomplete|protocol"):
        list(client.chat.completions.create(**CHAT, stream=True, extra_headers={"x-test-fault": "disconnect"}))
    with pytest.raises(Exception, match=r"(?i)incomplete|connection|reset|closed"):
        installation.call("/v1/chat/completions", CHAT, key, **{"x-test-fault": "disconnect"})
    status, answer, _ = installation.call("/v1/chat/completions", CHAT, key, **{"x-test-fault": "fire"})
    assert (status, answer["error"]["code"]) == (422, "fault_unknown")


def test_a_fallback_answers_where_the_caller_allows_one(installation: Installation) -> None:
    installation.manage(
        "add_model", "bench/dead", "--task", "chat", "--engine", "openai", "--source", "http://127.0.0.1:9/v1"
    )
    body = {**CHAT, "model": "bench/dead"}
    assert installation.call("/v1/chat/completions", body)[0] == 502
    status, answer, _ = installation.call("/v1/chat/completions", {**body, "fallback_models": ["bench/m"]})
    assert (status, answer["model"]) == (200, "bench/m")


def test_a_cached_answer_is_free_and_tells_its_age(installation: Installation) -> None:
    body = {**CHAT, "temperature": 0.25}
    cached = {"x-mercato-cache": "60"}
    status, first, headers = installation.call("/v1/chat/completions", body, **cached)
    assert headers["x-mercato-cache"] == "miss"
    before = settled(installation)
    status, second, headers = installation.call("/v1/chat/completions", body, **cached)
    assert (headers["x-mercato-cache"], headers["x-mercato-cost"]) == ("hit", "0.00")
    assert 0 <= int(headers["age"]) <= 60
    assert second == first
    assert settled(installation) == before
    assert "x-mercato-cache" not in installation.call("/v1/chat/completions", body)[2]


def test_a_stream_goes_on_for_a_reader_who_leaves_where_that_was_asked(installation: Installation) -> None:
    before = settled(installation)
    stream = sdk(installation).chat.completions.create(**CHAT, stream=True, extra_body={"on_disconnect": "finish"})
    next(iter(stream))
    stream.close()
    end = time.monotonic() + 5
    while settled(installation)[0] == before[0]:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert installation.used()["events"][-1]["units"]["output_token"] == 4


def test_the_sdk_gets_vectors_by_its_default_of_base64_and_as_numbers(installation: Installation) -> None:
    client = sdk(installation)
    by_default = client.embeddings.create(model="bench/vectors", input=["four", "seven.."])
    assert [item.embedding for item in by_default.data] == [[4.0, 0.5], [7.0, 0.5]]
    assert by_default.usage.prompt_tokens == 7
    as_numbers = client.embeddings.create(model="bench/vectors", input="four", encoding_format="float")
    assert as_numbers.data[0].embedding == [4.0, 0.5]


def test_the_sdk_gets_images_which_are_billed_by_the_image(installation: Installation) -> None:
    answer = sdk(installation).images.generate(model="bench/painter", prompt="a cat", n=2)
    assert [image.b64_json for image in answer.data] == ["aW1hZ2U="] * 2
    assert installation.used()["events"][-1]["units"]["image"] == 2


def test_tools_schemas_and_unknown_parameters_pass_through(installation: Installation) -> None:
    client = sdk(installation)
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    answer = client.chat.completions.create(**CHAT, tools=[tool], extra_body={"min_p": 0.1})
    assert answer.choices[0].message.tool_calls[0].function.name == "weather"
    assert installation.upstream.seen[-1]["min_p"] == 0.1
    chunks = list(client.chat.completions.create(**CHAT, tools=[tool], stream=True))
    parts = [
        c.choices[0].delta.tool_calls[0].function.arguments
        for c in chunks
        if c.choices and c.choices[0].delta.tool_calls
    ]
    assert "".join(parts) == '{"city": "Rome"}'
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "tool_calls"
    picture = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
    ]
    client.chat.completions.create(model="bench/m", messages=[{"role": "user", "content": picture}])
    assert installation.upstream.seen[-1]["messages"][0]["content"] == picture


def test_more_requests_than_fit_are_refused_at_once_and_those_inside_answer(installation: Installation) -> None:
    key = installation.manage("create_key", EMAIL, "--rpm", "0", "--concurrency", "2")
    installation.upstream.behave[:] = ["slow", "slow"]
    with ThreadPoolExecutor(2) as pool:
        inside = [pool.submit(installation.call, "/v1/chat/completions", CHAT, key) for _ in range(2)]
        time.sleep(0.7)
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
    time.sleep(2.2)
    assert installation.call("/v1/key", None, made["secret"])[0] == 401
    status, own, _ = installation.call("/v1/key", None, rotated["secret"])
    assert own["caps"]["day"]["limit"] == "0.00005"
    request = urllib.request.Request(
        f"{installation.url}/v1/keys/{made['id']}", method="DELETE", headers={"Authorization": f"Bearer {boss}"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        assert json.load(response)["revoked_at"]
    time.sleep(1.1)
    assert installation.call("/v1/key", None, rotated["secret"])[0] == 401
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
    time.sleep(2)
    assert installation.call("/v1/chat/completions", CHAT, here)[0] == 401


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
    from tests.fixtures.serving import Upstream

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
