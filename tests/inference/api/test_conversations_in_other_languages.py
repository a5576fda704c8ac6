"""Anthropic's messages, OpenAI's responses and completions, by their official SDKs, on an upstream that speaks chat."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel

from tests.fixtures.serving import Installation

HELLO = [{"role": "user", "content": "hello"}]
TOOL = {
    "name": "weather",
    "description": "Tells it.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


class City(BaseModel):
    city: str


@pytest.fixture
def claude(installation: Installation) -> Any:
    installation.upstream.behave.clear()
    return anthropic.Anthropic(base_url=installation.url, api_key=installation.key, max_retries=0)


@pytest.fixture
def gpt(installation: Installation) -> Any:
    installation.upstream.behave.clear()
    return openai.OpenAI(base_url=f"{installation.url}/v1", api_key=installation.key, max_retries=0)


def test_anthropics_sdk_gets_a_message_with_its_usage_and_cost(claude: Any, installation: Installation) -> None:
    answer = claude.messages.create(model="bench/m", max_tokens=50, system="Be brief.", messages=HELLO)
    assert [block.text for block in answer.content] == ["hello there"]
    assert (answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens) == ("end_turn", 9, 3)
    assert answer.usage.cost == "0.000015"
    assert installation.upstream.seen[-1]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert answer._request_id.startswith("req_")


def test_anthropics_sdk_streams(claude: Any) -> None:
    with claude.messages.stream(model="bench/m", max_tokens=50, messages=HELLO) as stream:
        assert "".join(stream.text_stream) == "w0 w1 w2 w3 "
        final = stream.get_final_message()
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 4)


def test_tools_and_images_travel_both_ways(claude: Any, installation: Installation) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    asked = [{"role": "user", "content": [image, {"type": "text", "text": "Where is it?"}]}]
    answer = claude.messages.create(
        model="bench/m", max_tokens=50, messages=asked, tools=[TOOL], tool_choice={"type": "any"}
    )
    assert answer.stop_reason == "tool_use"
    assert (answer.content[0].name, answer.content[0].input) == ("weather", {"city": "Rome"})
    sent = installation.upstream.seen[-1]
    assert sent["tools"][0]["function"]["parameters"] == TOOL["input_schema"]
    assert sent["tool_choice"] == "required"
    assert sent["messages"][0]["content"][0]["image_url"]["url"] == "data:image/png;base64,AA=="
    result = {"type": "tool_result", "tool_use_id": answer.content[0].id, "content": "sunny"}
    follow = [*asked, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    claude.messages.create(model="bench/m", max_tokens=50, messages=follow)
    sent = installation.upstream.seen[-1]["messages"]
    assert sent[1]["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city":"Rome"}'}
    assert sent[2] == {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}


def test_a_streamed_tool_call_is_put_together_by_anthropics_sdk(claude: Any) -> None:
    with claude.messages.stream(model="bench/m", max_tokens=50, messages=HELLO, tools=[TOOL]) as stream:
        final = stream.get_final_message()
    assert (final.content[0].input, final.stop_reason) == ({"city": "Rome"}, "tool_use")


def test_anthropics_errors_have_its_shape(claude: Any, installation: Installation) -> None:
    with pytest.raises(anthropic.NotFoundError) as missing:
        claude.messages.create(model="bench/none", max_tokens=5, messages=HELLO)
    assert missing.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.AuthenticationError):
        anthropic.Anthropic(base_url=installation.url, api_key="mk_no").messages.create(
            model="bench/m", max_tokens=5, messages=HELLO
        )
    with pytest.raises(anthropic.UnprocessableEntityError, match="container"):
        claude.messages.create(model="bench/m", max_tokens=2000, messages=HELLO, container="mine")
    installation.upstream.behave[:] = ["break"]
    with (
        pytest.raises(anthropic.APIStatusError, match="middle"),
        claude.messages.stream(model="bench/m", max_tokens=50, messages=HELLO) as stream,
    ):
        stream.get_final_message()


def test_tokens_are_counted_beforehand(claude: Any) -> None:
    assert claude.messages.count_tokens(model="bench/m", messages=HELLO).input_tokens > 0


def test_openais_sdk_gets_a_response(gpt: Any, installation: Installation) -> None:
    answer = gpt.responses.create(model="bench/m", instructions="Be brief.", input="hello", max_output_tokens=50)
    assert (answer.output_text, answer.status) == ("hello there", "completed")
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.cost) == (9, 3, "0.000015")
    assert [m["role"] for m in installation.upstream.seen[-1]["messages"]] == ["system", "user"]


def test_a_response_streams_by_both_of_the_sdks_ways(gpt: Any) -> None:
    seen = list(gpt.responses.create(model="bench/m", input="hello", stream=True))
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert "".join(event.delta for event in seen if event.type == "response.output_text.delta") == "w0 w1 w2 w3 "
    assert seen[-1].type == "response.completed"
    assert seen[-1].response.output_text == "w0 w1 w2 w3 "
    with gpt.responses.stream(model="bench/m", input="hello") as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text == "w0 w1 w2 w3 "


def test_functions_and_schemas_work_in_responses(gpt: Any, installation: Installation) -> None:
    tool = {"type": "function", "name": "weather", "parameters": TOOL["input_schema"]}
    answer = gpt.responses.create(model="bench/m", input="weather?", tools=[tool])
    call = answer.output[0]
    assert (call.type, call.name, call.arguments) == ("function_call", "weather", '{"city": "Rome"}')
    seen = list(gpt.responses.create(model="bench/m", input="weather?", tools=[tool], stream=True))
    assert seen[-1].response.output[0].arguments == '{"city": "Rome"}'
    follow = [
        {"role": "user", "content": "weather?"},
        call.model_dump(),
        {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"},
    ]
    gpt.responses.create(model="bench/m", input=follow)
    assert [m["role"] for m in installation.upstream.seen[-1]["messages"]] == ["user", "assistant", "tool"]
    assert gpt.responses.parse(model="bench/m", input="city?", text_format=City).output_parsed == City(city="Rome")
    parsed = gpt.chat.completions.parse(model="bench/m", messages=HELLO, response_format=City)
    assert parsed.choices[0].message.parsed == City(city="Rome")


@pytest.mark.parametrize("field", [{"previous_response_id": "resp_1"}, {"background": True}, {"store": True}])
def test_what_needs_a_store_is_refused_by_name(gpt: Any, field: dict[str, Any]) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="stored"):
        gpt.responses.create(model="bench/m", input="hello", **field)


def test_a_response_that_breaks_off_is_failed(gpt: Any, installation: Installation) -> None:
    installation.upstream.behave[:] = ["break"]
    seen = list(gpt.responses.create(model="bench/m", input="hello", stream=True))
    assert seen[-1].type == "response.failed"


def test_the_older_completions_answer_and_stream(gpt: Any) -> None:
    answer = gpt.completions.create(model="bench/m", prompt="hello")
    assert (answer.choices[0].text, answer.usage.cost) == ("hello there", "0.000015")
    streamed = gpt.completions.create(model="bench/m", prompt="hello", stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed if chunk.choices) == "w0 w1 w2 w3 "


def test_a_model_that_runs_here_converses_in_every_language(
    installation: Installation, writer_folder: Any, reader_folder: Any
) -> None:
    for name, task, folder in (("writer", "chat", writer_folder), ("reader", "embeddings", reader_folder)):
        installation.manage(
            "add_model", f"bench/{name}", "--task", task, "--engine", "tensorflow", "--source", str(folder),
            "--price-input", "1", "--price-output", "2",
        )  # fmt: skip
    gpt = openai.OpenAI(base_url=f"{installation.url}/v1", api_key=installation.key, timeout=60)
    asked = {"model": "bench/writer", "temperature": 0}
    chat = gpt.chat.completions.create(**asked, messages=HELLO, max_tokens=8)
    assert chat.usage.completion_tokens <= 8
    text = chat.choices[0].message.content
    streamed = gpt.chat.completions.create(**asked, messages=HELLO, max_tokens=8, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in streamed if c.choices) == text
    claude = anthropic.Anthropic(base_url=installation.url, api_key=installation.key)
    assert (
        claude.messages.create(model="bench/writer", max_tokens=8, messages=HELLO, extra_body={"temperature": 0})
        .content[0]
        .text
        == text
    )
    assert gpt.responses.create(**asked, input="hello", max_output_tokens=8).output_text == text
    vectors = gpt.embeddings.create(model="bench/reader", input=["a cat", "a ship"])
    assert len(vectors.data) == 2
    assert vectors.usage.prompt_tokens > 4
    with pytest.raises(openai.UnprocessableEntityError, match="tools"):
        gpt.chat.completions.create(**asked, messages=HELLO, tools=[{"type": "function", "function": {"name": "f"}}])
