"""Idempotency, ceilings, quotes, dry runs, test keys, fallbacks and the cache, on a real server."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.working import until

MESSAGES = [{"role": "user", "content": "hello"}]
CHAT = {"model": "bench/m", "messages": MESSAGES}
INFER = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}


def sdk(installation: Installation, key: str = "") -> Any:
    return openai.OpenAI(base_url=f"{installation.url}/v1", api_key=key or installation.key, max_retries=0)


def settled(installation: Installation) -> tuple[int, int]:
    """How many calls ran, and what all cost."""
    used = installation.used()
    return sum(event["status"] != "replayed" for event in used["events"]), used["total_nanos"]


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

    def asked() -> Any:
        status, route, _ = installation.call("/v1/route", CHAT)
        assert status == 200, route
        return route if route["would_serve"] else None

    route = until(asked, 40)  # an upstream that other tests made fail is passed over for a while
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
