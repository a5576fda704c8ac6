"""Every field of a request reaches the model's upstream, or is refused by its name, and its answer comes back whole."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel

from tests.fixtures.serving import Installation

HELLO: Any = [{"role": "user", "content": "hello"}]
RED = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
UNKNOWN = {"min_p": 0.1, "repetition_penalty": 1.2, "chat_template_kwargs": {"deep": True}}


class City(BaseModel):
    city: str


@pytest.fixture(scope="module", autouse=True)
def continues_text(installation: Installation) -> None:
    """`bench/text`: an upstream's model that does not converse."""
    installation.manage(
        "add_model", "bench/text", "--task", "text-generation", "--engine", "openai", "--source",
        installation.upstream.url, "--upstream-model", "m", "--price-input", "1", "--price-output", "2",
    )  # fmt: skip


@pytest.fixture
def gpt(installation: Installation) -> Any:
    installation.upstream.behave.clear()
    return openai.OpenAI(base_url=f"{installation.url}/v1", api_key=installation.key, max_retries=0, timeout=60)


@pytest.fixture
def claude(installation: Installation) -> Any:
    installation.upstream.behave.clear()
    return anthropic.Anthropic(base_url=installation.url, api_key=installation.key, max_retries=0, timeout=60)


def sent(installation: Installation) -> dict[str, Any]:
    """What the upstream was asked last."""
    return installation.upstream.seen[-1]


@pytest.mark.parametrize("prompt", ["a b", ["a", "b"], [1, 2, 3], [[1, 2], [3]]], ids=str)
def test_completions_pass_prompts_of_every_kind_and_their_choices_back(
    gpt: Any, installation: Installation, prompt: Any
) -> None:
    asked = {"n": 2, "logprobs": 3, "echo": True, "suffix": "!", "best_of": 2, "logit_bias": {"5": 1}, "user": "u"}
    answer = gpt.completions.create(model="bench/text", prompt=prompt, max_tokens=9, **asked, extra_body=UNKNOWN)
    several = isinstance(prompt, list) and not isinstance(prompt[0], int)
    assert len(answer.choices) == (2 * len(prompt) if several else 2)
    assert [choice.index for choice in answer.choices] == list(range(len(answer.choices)))
    assert answer.choices[1].logprobs.token_logprobs == [-0.5]
    assert (answer.model, answer.system_fingerprint, answer.object) == ("bench/text", "fp_1", "text_completion")
    assert answer.usage.completion_tokens == 2 * len(answer.choices)
    told = sent(installation)
    assert told["prompt"] == prompt
    assert {name: told[name] for name in (*asked, *UNKNOWN)} == {**asked, **UNKNOWN}


def test_completions_stream_as_the_upstream_streams(gpt: Any, installation: Installation) -> None:
    stream = gpt.completions.create(
        model="bench/text", prompt=["a", "b"], logprobs=1, stream=True, max_tokens=9,
        stream_options={"include_usage": True},
    )  # fmt: skip
    chunks = list(stream)
    assert [(choice.index, choice.text) for chunk in chunks for choice in chunk.choices] == [(0, "t0"), (1, "t1")]
    assert chunks[0].choices[0].logprobs.tokens == ["t"]
    assert (chunks[-1].usage.completion_tokens, chunks[-1].usage.cost) == (4, "0.000016")
    assert sent(installation)["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    ("asked", "answers"),
    [({}, 1), ({"n": 3}, 3), ({"n": 2, "best_of": 5}, 5), ({"prompt": ["a", "b"], "n": 3}, 6),
     ({"prompt": [[1], [2], [3]]}, 3), ({"prompt": [1, 2, 3]}, 1)],
    ids=str,
)  # fmt: skip
def test_what_is_held_covers_every_answer_of_every_prompt(
    installation: Installation, asked: dict[str, Any], answers: int
) -> None:
    body = {"model": "bench/text", "prompt": "a", "max_tokens": 1000, **asked}
    status, quote, _ = installation.call("/v1/quotes", body)
    assert status == 201, quote
    assert answers * 0.002 <= float(quote["max_cost"]) < answers * 0.002 + 0.001  # $2 a million tokens written
    status, refused, _ = installation.call("/v1/completions", {**body, "max_cost": "0.0000001"})
    assert (status, refused["error"]["code"]) == (402, "max_cost_exceeded")


def test_what_only_completions_have_goes_to_a_conversing_models_upstream_as_a_bare_prompt(
    gpt: Any, installation: Installation
) -> None:
    assert gpt.completions.create(model="bench/m", prompt="a", n=2).choices[1].text == "hello there"
    assert sent(installation)["messages"] == [{"role": "user", "content": "a"}]
    echoed = gpt.completions.create(model="bench/m", prompt="a", echo=True, logprobs=0)
    assert (echoed.choices[0].text, echoed.choices[0].logprobs.tokens) == ("at0", ["t"])
    installation.upstream.behave[:] = ["404"]
    with pytest.raises(openai.BadRequestError, match="converses only"):
        gpt.completions.create(model="bench/m", prompt="a", echo=True)


def test_a_conversation_with_a_model_that_continues_text_keeps_its_fields_and_choices(
    gpt: Any, claude: Any, installation: Installation
) -> None:
    answer = gpt.chat.completions.create(
        model="bench/text", messages=HELLO, n=2, max_completion_tokens=7, frequency_penalty=0.5, extra_body=UNKNOWN
    )
    assert [choice.message.content for choice in answer.choices] == ["t0", "t1"]
    assert answer.object == "chat.completion"
    told = sent(installation)
    assert (told["prompt"], told["max_tokens"], told["frequency_penalty"], told["min_p"]) == ("hello", 7, 0.5, 0.1)
    streamed = gpt.chat.completions.create(model="bench/text", messages=HELLO, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == "t0"
    with claude.messages.stream(model="bench/text", max_tokens=5, messages=HELLO) as stream:
        assert "".join(stream.text_stream) == "t0"
    with pytest.raises(openai.UnprocessableEntityError, match="tools"):
        gpt.chat.completions.create(model="bench/text", messages=HELLO, tools=[{"type": "function"}])


def test_embeddings_pass_tokens_and_further_fields(gpt: Any, installation: Installation) -> None:
    answer = gpt.embeddings.create(model="bench/vectors", input=[[1, 2, 3], [4]], user="u", extra_body=UNKNOWN)
    assert [item.embedding[0] for item in answer.data] == [3.0, 1.0]
    told = sent(installation)
    assert (told["input"], told["user"], told["min_p"]) == ([[1, 2, 3], [4]], "u", 0.1)
    assert len(gpt.embeddings.create(model="bench/vectors", input=[7, 8]).data) == 1
    assert sent(installation)["input"] == [[7, 8]]
    assert len(gpt.embeddings.create(model="bench/vectors", input=["a"] * 2_048).data) == 2_048


def test_images_pass_further_fields(gpt: Any, installation: Installation) -> None:
    gpt.images.generate(model="bench/painter", prompt="a ship", user="u", moderation="low", extra_body=UNKNOWN)
    told = sent(installation)
    assert (told["user"], told["moderation"], told["min_p"]) == ("u", "low", 0.1)


def test_responses_pass_what_chat_completions_have_a_place_for(gpt: Any, installation: Installation) -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"}
    gpt.responses.create(
        model="bench/m", input=[{"role": "user", "content": [image]}], text={"verbosity": "low"}, truncation="disabled",
        safety_identifier="s", prompt_cache_key="k", service_tier="flex", reasoning={"effort": "low"}, extra_body=UNKNOWN,
    )  # fmt: skip
    told = sent(installation)
    assert told["messages"][0]["content"][0]["image_url"]["detail"] == "low"
    wanted = {
        "verbosity": "low", "safety_identifier": "s", "prompt_cache_key": "k", "service_tier": "flex",
        "reasoning_effort": "low", **UNKNOWN,
    }  # fmt: skip
    assert {name: told.get(name) for name in wanted} == wanted


@pytest.mark.parametrize(
    "asked",
    [{"truncation": "auto"}, {"max_tool_calls": 3}, {"include": ["reasoning.encrypted_content"]}, {"n": 2},
     {"reasoning": {"summary": "auto"}}, {"text": {"format": {"type": "grammar"}}}, {"top_logprobs": 3},
     {"context_management": [{"type": "compaction"}]}, {"stream_options": {"include_obfuscation": True}}],
    ids=lambda asked: next(iter(asked)),
)  # fmt: skip
def test_responses_refuse_by_name_what_has_no_place(gpt: Any, asked: dict[str, Any]) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        gpt.responses.create(model="bench/m", input="hello", extra_body=asked)
    assert refused.value.body["param"].startswith(f"/{next(iter(asked))}")


def test_anthropics_fields_become_openais(claude: Any, installation: Installation) -> None:
    tool = {
        "name": "weather",
        "input_schema": {"type": "object"},
        "strict": True,
        "cache_control": {"type": "ephemeral"},
    }
    claude.messages.create(
        model="bench/m", max_tokens=2_000, messages=HELLO, metadata={"user_id": "u"}, service_tier="standard_only",
        thinking={"type": "enabled", "budget_tokens": 1_024}, tools=[tool], tool_choice={"type": "none"},
        extra_body={"temperature": 0.5, "top_k": 5, **UNKNOWN},
    )  # fmt: skip
    told = sent(installation)
    wanted = {
        "user": "u", "service_tier": "default", "reasoning_effort": "low", "tool_choice": "none", "temperature": 0.5,
        "top_k": 5, **UNKNOWN,
    }  # fmt: skip
    assert {name: told.get(name) for name in wanted} == wanted
    assert told["tools"][0]["function"]["strict"]
    parsed = claude.messages.parse(model="bench/m", max_tokens=50, messages=HELLO, output_format=City)
    assert parsed.parsed_output == City(city="Rome")
    assert sent(installation)["response_format"]["json_schema"]["schema"]["required"] == ["city"]
    claude.messages.create(model="bench/m", max_tokens=50, messages=HELLO, output_config={"effort": "high"})
    assert sent(installation)["reasoning_effort"] == "high"


def test_what_a_tool_gave_may_be_an_image_or_an_error(claude: Any, installation: Installation) -> None:
    use = {"type": "tool_use", "id": "c1", "name": "look", "input": {}}
    result = {
        "type": "tool_result",
        "tool_use_id": "c1",
        "is_error": True,
        "content": [{"type": "text", "text": "dark"}, RED],
    }
    follow = [*HELLO, {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    claude.messages.create(model="bench/m", max_tokens=5, messages=follow)
    said = sent(installation)["messages"][-1]
    assert (said["role"], [part["type"] for part in said["content"]]) == ("tool", ["text", "text", "image_url"])
    assert said["content"][0]["text"] == "Error: "
    result["content"] = [{"type": "document", "source": {"type": "text", "data": "x"}}]
    with pytest.raises(anthropic.UnprocessableEntityError, match="images"):
        claude.messages.create(model="bench/m", max_tokens=5, messages=follow)


@pytest.mark.parametrize(
    ("asked", "param"),
    [({"container": "c"}, "/container"), ({"inference_geo": "eu"}, "/inference_geo"), ({"speed": "fast"}, "/speed"),
     ({"n": 2}, "/n"), ({"metadata": {"team": "x"}}, "/metadata/team"), ({"output_config": {"x": 1}}, "/output_config/x"),
     ({"thinking": {"type": "between_tools"}}, "/thinking/type"), ({"tool_choice": {"type": "all"}}, "/tool_choice/type"),
     ({"tools": [{"name": "f", "input_schema": {}, "defer_loading": True}]}, "/tools/0/defer_loading")],
    ids=str,
)  # fmt: skip
def test_what_is_anthropics_alone_is_refused_by_name_in_its_shape(
    claude: Any, asked: dict[str, Any], param: str
) -> None:
    with pytest.raises(anthropic.UnprocessableEntityError) as refused:
        claude.messages.create(model="bench/m", max_tokens=5, messages=HELLO, extra_body=asked)
    error = refused.value.body["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


def test_an_upstreams_refusal_comes_in_anthropics_shape(claude: Any, installation: Installation) -> None:
    installation.upstream.behave[:] = ["400"]
    with pytest.raises(anthropic.BadRequestError, match="upstream says 400") as refused:
        claude.messages.create(model="bench/m", max_tokens=5, messages=HELLO)
    assert refused.value.body["error"]["type"] == "invalid_request_error"


def test_the_stop_sequence_that_ended_a_message_is_named(claude: Any, installation: Installation) -> None:
    asked = {"model": "bench/m", "max_tokens": 50, "messages": HELLO, "stop_sequences": ["no", "END"]}
    installation.upstream.behave[:] = ["stopped"]
    answer = claude.messages.create(**asked)
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "END")
    installation.upstream.behave[:] = ["stopped"]
    with claude.messages.stream(**asked) as stream:
        final = stream.get_final_message()
    assert (final.stop_reason, final.stop_sequence) == ("stop_sequence", "END")
    answer = claude.messages.create(**asked)
    assert (answer.stop_reason, answer.stop_sequence) == ("end_turn", None)


def test_thoughts_come_as_blocks_to_those_who_asked_for_thinking(claude: Any, installation: Installation) -> None:
    asked: Any = {"model": "bench/m", "max_tokens": 2_000, "messages": HELLO}
    thinks = {"type": "enabled", "budget_tokens": 1_024}
    installation.upstream.behave[:] = ["thinks", "thinks", "thinks"]
    answer = claude.messages.create(**asked, thinking=thinks)
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.content[0].thinking == "they greet me"
    assert [block.type for block in claude.messages.create(**asked).content] == ["text"]
    with claude.messages.stream(**asked, thinking=thinks) as stream:
        final = stream.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text"]
    assert final.content[0].thinking == "they greet me"
