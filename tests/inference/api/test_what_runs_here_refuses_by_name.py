"""A model that runs here does what a field asks for, or refuses it by its name: by every protocol's official SDK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from inference.engines.engine import ReplicaSpec, Work
from inference.engines.tensorflow.engine import engine_of
from marketplace.errors import InputInvalid
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec
from tests.fixtures.serving import Installation

HELLO: Any = [{"role": "user", "content": "hello"}]
REFUSED: list[dict[str, Any]] = [
    {"frequency_penalty": 0.5}, {"presence_penalty": 1}, {"min_p": 0.1}, {"repetition_penalty": 1.2}, {"n": 2},
    {"logit_bias": {"5": 1}}, {"store": True}, {"service_tier": "priority"}, {"whatever": 1}, {"seed": -1},
]  # fmt: skip
CHATTED: list[dict[str, Any]] = [
    {"tools": [{"type": "function", "function": {"name": "f"}}]}, {"response_format": {"type": "json_object"}},
    {"logprobs": True}, {"reasoning_effort": "low"}, {"modalities": ["text", "audio"]}, {"verbosity": "low"},
]  # fmt: skip
NOTHING: dict[str, Any] = {
    "n": 1, "frequency_penalty": 0, "presence_penalty": 0.0, "tools": [], "tool_choice": "none", "logprobs": False,
    "response_format": {"type": "text"}, "stop": [], "logit_bias": {}, "user": "u", "metadata": {"a": "b"},
    "store": False, "safety_identifier": "s", "prompt_cache_key": "k", "service_tier": "auto", "seed": None,
}  # fmt: skip


@pytest.fixture
def gpt(installation: Installation) -> Any:
    installation.upstream.behave.clear()
    return openai.OpenAI(base_url=f"{installation.url}/v1", api_key=installation.key, max_retries=0, timeout=60)


@pytest.fixture
def claude(installation: Installation) -> Any:
    installation.upstream.behave.clear()
    return anthropic.Anthropic(base_url=installation.url, api_key=installation.key, max_retries=0, timeout=60)


@pytest.fixture(scope="module")
def here(installation: Installation, writer_folder: Path, reader_folder: Path) -> None:
    """Models that run in the server itself: `bench/author` converses, `bench/pen` continues, `bench/eye` embeds."""
    for name, task, folder in (
        ("author", "chat", writer_folder), ("pen", "text-generation", writer_folder), ("eye", "embeddings", reader_folder),
    ):  # fmt: skip
        installation.manage(
            "add_model", f"bench/{name}", "--task", task, "--engine", "tensorflow", "--source", str(folder),
            "--price-input", "1", "--price-output", "2",
        )  # fmt: skip


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("model", ["bench/author", "bench/pen"])
@pytest.mark.parametrize("asked", [*REFUSED, *CHATTED], ids=lambda asked: next(iter(asked)))
def test_a_model_that_runs_here_refuses_by_name_in_chat(gpt: Any, model: str, asked: dict[str, Any]) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        gpt.chat.completions.create(model=model, messages=HELLO, max_tokens=2, extra_body=asked)
    name = next(iter(asked))
    assert refused.value.body["param"] == f"/{name}"
    assert name in str(refused.value) or name == "seed"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("model", ["bench/author", "bench/pen"])
@pytest.mark.parametrize(
    "asked",
    [*REFUSED, {"echo": True}, {"best_of": 3}, {"suffix": "!"}, {"logprobs": 0}, {"prompt": ["a", "b"]}, {"prompt": [1, 2]}],
    ids=lambda asked: next(iter(asked)),
)  # fmt: skip
def test_a_model_that_runs_here_refuses_by_name_in_completions(gpt: Any, model: str, asked: dict[str, Any]) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        gpt.completions.create(model=model, **{"prompt": "a", "max_tokens": 2}, extra_body=asked)
    assert refused.value.body["param"] == f"/{next(iter(asked))}"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("model", ["bench/author", "bench/pen"])
def test_a_model_that_runs_here_takes_what_asks_for_nothing(gpt: Any, model: str) -> None:
    answer = gpt.chat.completions.create(model=model, messages=HELLO, max_tokens=3, extra_body=NOTHING)
    assert answer.usage.completion_tokens <= 3
    assert gpt.completions.create(
        model=model, prompt="a", max_tokens=3, extra_body={"n": 1, "echo": False, "user": "u"}
    )


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("model", ["bench/author", "bench/pen"])
@pytest.mark.parametrize(
    ("asked", "param"),
    [({"thinking": {"type": "enabled", "budget_tokens": 1_024}}, "/thinking"), ({"min_p": 0.1}, "/min_p"),
     ({"output_config": {"effort": "low"}}, "/output_config/effort"),
     ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, "/output_config/format"),
     ({"tools": [{"name": "f", "input_schema": {"type": "object"}}]}, "/tools")],
    ids=str,
)  # fmt: skip
def test_a_model_that_runs_here_refuses_by_anthropics_names(
    claude: Any, model: str, asked: dict[str, Any], param: str
) -> None:
    with pytest.raises(anthropic.UnprocessableEntityError) as refused:
        claude.messages.create(model=model, max_tokens=2, messages=HELLO, extra_body=asked)
    assert refused.value.body["error"]["param"] == param


@pytest.mark.usefixtures("here")
def test_a_model_that_runs_here_refuses_by_the_names_of_responses(gpt: Any) -> None:
    for asked, param in (
        ({"text": {"verbosity": "low"}}, "/text/verbosity"), ({"reasoning": {"effort": "high"}}, "/reasoning/effort"),
        ({"frequency_penalty": 1}, "/frequency_penalty"), ({"max_output_tokens": -1}, "/max_output_tokens"),
    ):  # fmt: skip
        with pytest.raises(openai.UnprocessableEntityError) as refused:
            gpt.responses.create(model="bench/author", input="hello", extra_body=asked)
        assert refused.value.body["param"] == param
    assert gpt.responses.create(model="bench/author", input="hello", max_output_tokens=2, metadata={"a": "b"}, user="u")


@pytest.mark.usefixtures("here")
def test_a_refusal_comes_before_any_work_with_test_keys_and_quotes_too(installation: Installation) -> None:
    body = {"model": "bench/author", "messages": HELLO, "min_p": 0.1}
    for address in ("/v1/quotes", "/v1/route", "/v1/chat/completions"):
        status, refused, _ = installation.call(address, body)
        assert (status, refused["error"]["param"]) == (422, "/min_p")
    status, refused, _ = installation.call("/v1/models/bench/pen/predictions", {"input": {"prompt": "a", "min_p": 0.1}})
    assert (status, refused["error"]["param"]) == (422, "/input/min_p")


@pytest.mark.usefixtures("here")
def test_an_encoder_that_runs_here_reads_text_alone(gpt: Any) -> None:
    assert gpt.embeddings.create(model="bench/eye", input="a cat", user="u").data
    for asked, param in (
        ({"input": [1, 2]}, "/input"),
        ({"input": [[1], [2]]}, "/input"),
        ({"truncate": 5}, "/truncate"),
    ):
        with pytest.raises(openai.UnprocessableEntityError) as refused:
            gpt.embeddings.create(model="bench/eye", **{"input": "a cat"}, extra_body=asked)
        assert refused.value.body["param"] == param
        assert "send texts" in str(refused.value) or param == "/truncate"


@pytest.mark.usefixtures("here")
def test_a_model_that_runs_here_stops_at_any_of_several_sequences_and_says_which(gpt: Any, claude: Any) -> None:
    asked: Any = {"model": "bench/author", "max_tokens": 30, "messages": HELLO, "extra_body": {"temperature": 0}}
    whole = claude.messages.create(**asked).content[0].text
    stop = whole[5:8]
    answer = claude.messages.create(**asked, stop_sequences=["never said", stop])
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", stop)
    assert answer.content[0].text == whole[: whole.index(stop)]
    with claude.messages.stream(**asked, stop_sequences=["never said", stop]) as stream:
        assert stream.get_final_message().stop_sequence == stop


def test_a_saved_model_samples_by_top_p_and_stops_before_any_of_several_sequences(letters_folder: Path) -> None:
    task = registry.get("text-generation")
    model = engine_of(ReplicaSpec("r", "tensorflow", str(letters_folder), "a/letters", task, ModelSpec()))
    model.load()

    def write(**given: Any) -> dict[str, Any]:
        found: dict[str, Any] = model.infer(Work({"prompt": "abc", "max_tokens": 40, **given})).output
        return found

    greedy = write(temperature=0)["text"]
    assert write(temperature=2, top_p=0)["text"] == greedy, "the smallest nucleus is the likeliest token"
    free = write(temperature=2, seed=5)["text"]
    assert free == write(temperature=2, seed=5)["text"] != greedy
    stop = free[10:12]
    cut = write(temperature=2, seed=5, stop=["~", stop])
    assert cut == {"text": free[: free.index(stop)], "finish_reason": "stop", "stop_sequence": stop}
    with pytest.raises(InputInvalid) as refused:
        write(frequency_penalty=1)
    assert refused.value.param == "/frequency_penalty"
    model.unload()
