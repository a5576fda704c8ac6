"""Each protocol on a real server: what clients get, what it costs, what lands in the usage."""

from __future__ import annotations

import json
import time
import urllib.request

import openai
import pytest

from tests.fixtures.serving import Installation

CHAT = {"model": "bench/m", "messages": [{"role": "user", "content": "hello"}]}
INFER = {"inputs": [{"name": "x", "shape": [2, 3], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6]}]}


@pytest.fixture
def client(installation: Installation) -> openai.OpenAI:
    installation.upstream.behave.clear()
    return openai.OpenAI(base_url=f"{installation.url}/v1", api_key=installation.key, max_retries=0)


def event_of(installation: Installation, request_id: str) -> dict[str, object]:
    status, listed, _ = installation.call("/v1/usage?limit=1000")
    assert status == 200
    found = [event for event in listed["data"] if event["request_id"] == request_id]
    assert len(found) == 1, "every answer has one event"
    return found[0]  # type: ignore[no-any-return] # JSON


def test_the_openai_sdk_gets_an_answer_and_its_cost(client: openai.OpenAI, installation: Installation) -> None:
    raw = client.chat.completions.with_raw_response.create(**CHAT)  # type: ignore[call-overload] # a dict of valid arguments
    answer = raw.parse()
    assert answer.choices[0].message.content == "hello there"
    assert answer.model == "bench/m"
    assert answer.usage.total_tokens == 12
    # 9 × $1 + 3 × $2 a million
    assert raw.headers["x-mercato-cost"] == answer.usage.cost == "0.000015"
    assert event_of(installation, raw.headers["x-request-id"])["cost_nanos"] == 15_000


def test_the_openai_sdk_streams(client: openai.OpenAI, installation: Installation) -> None:
    stream = client.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True})  # type: ignore[call-overload] # as above
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "w0 w1 w2 w3 "
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 4
    assert chunks[-1].usage.cost == "0.000017"


def test_an_upstream_that_breaks_off_is_an_error_event_and_what_was_delivered_is_billed(
    client: openai.OpenAI, installation: Installation
) -> None:
    installation.upstream.behave[:] = ["break"]
    before = installation.used()["total_nanos"]
    with pytest.raises(openai.APIError, match="middle"):
        list(client.chat.completions.create(**CHAT, stream=True))  # type: ignore[call-overload] # as above
    events = installation.used()
    assert events["events"][-1]["units"]["output_token"] == 2
    assert events["total_nanos"] > before


def test_a_reader_who_leaves_is_billed_once_for_what_was_generated_and_the_upstream_is_told(
    client: openai.OpenAI, installation: Installation
) -> None:
    installation.upstream.behave[:] = ["long"]
    installation.upstream.left_early.clear()
    count = len(installation.used()["events"])
    stream = client.chat.completions.create(**CHAT, stream=True)  # type: ignore[call-overload] # as above
    for number, _ in enumerate(stream):
        if number == 3:
            break
    stream.close()
    assert installation.upstream.left_early.wait(5), "the upstream still generates"
    end = time.monotonic() + 5
    while len(installation.used()["events"]) == count and time.monotonic() < end:
        time.sleep(0.1)
    events = installation.used()["events"]
    assert len(events) == count + 1
    assert 3 <= events[-1]["units"]["output_token"] < 100


@pytest.mark.parametrize(("behaves", "status"), [("500", 502), ("429", 503), ("400", 400)])
def test_an_upstream_that_fails_is_said_so_and_costs_nothing(
    installation: Installation, behaves: str, status: int
) -> None:
    before = installation.used()["total_nanos"]
    installation.upstream.behave[:] = [behaves]
    got, answer, _ = installation.call("/v1/chat/completions", CHAT)
    assert got == status
    assert answer["error"]["code"]
    assert installation.used()["total_nanos"] == before


def test_tokens_are_counted_here_where_the_upstream_counts_none(installation: Installation) -> None:
    installation.upstream.behave[:] = ["no usage"]
    status, answer, headers = installation.call("/v1/chat/completions", CHAT)
    assert status == 200
    assert answer["usage"]["completion_tokens"] == 3
    assert event_of(installation, headers["x-request-id"])["units"]["estimated"] == 1  # type: ignore[index] # JSON


def test_open_inference_protocol_takes_and_gives_tensors(installation: Installation) -> None:
    status, answer, headers = installation.call("/v2/models/bench/doubler/infer", {**INFER, "id": "mine"})
    assert status == 200, answer
    assert answer["id"] == "mine"
    outputs = {output["name"]: output for output in answer["outputs"]}
    assert outputs["doubled"]["shape"] == [2, 3]
    assert outputs["doubled"]["data"] == [2, 4, 6, 8, 10, 12]
    assert outputs["sum"]["data"] == [6, 15]
    assert headers["x-mercato-cost"] == "0.0001"
    status, described, _ = installation.call("/v2/models/bench/doubler")
    assert described["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}]


def test_predictions_answer_with_output_usage_and_cost(installation: Installation) -> None:
    status, answer, headers = installation.call(
        "/v1/models/bench/doubler/predictions", {"input": {"inputs": {"x": [[1, 2, 3]]}}}
    )
    assert status == 200, answer
    assert answer["status"] == "succeeded"
    assert answer["output"]["outputs"]["doubled"] == [[2, 4, 6]]
    assert answer["cost"] == "0.0001"
    assert answer["usage"]["request"] == 1
    assert event_of(installation, headers["x-request-id"])["id"] == answer["usage"]["event"]


def test_models_are_listed_in_openais_shape(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert {"bench/m", "bench/doubler"} <= set(listed)
    assert client.models.retrieve("bench/m").owned_by == "bench"


def test_every_answer_says_what_is_left_of_the_limits(installation: Installation) -> None:
    from tests.fixtures.serving import EMAIL

    key = installation.manage("create_key", EMAIL, "--rpm", "2")
    seen = [installation.call("/v2/models/bench/doubler/infer", INFER, key) for _ in range(3)]
    assert [status for status, _, _ in seen] == [200, 200, 429]
    assert seen[0][2]["x-ratelimit-limit-requests"] == "2"
    assert [h.get("x-ratelimit-remaining-requests") for _, _, h in seen[:2]] == ["1", "0"]
    assert 1 <= int(seen[2][2]["retry-after"]) <= 60


def test_the_server_answers_before_any_model_is_loaded(installation: Installation) -> None:
    with urllib.request.urlopen(f"{installation.url}/v2/health/live", timeout=5) as response:
        assert json.load(response) == {"live": True}
