"""The guide, a language model that a recipe trains, converses by every protocol for that."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest

from marketplace.training.recipes.datasets.dialogues import dialogues
from tests.fixtures.serving import Installation

PLAIN = {
    "What is Mercato?": "Mercato is a marketplace",
    "How do I make a key?": "Make a key on the page Keys",
    "7 + 5": "12",
    "What is the capital of Peru?": "Lima",
    "the opposite of hot": "cold",
    "hello": "Hello! How can I help you?",
}


def test_no_way_to_ask_is_in_two_parts() -> None:
    data = dialogues(3)
    parts = [
        {
            question.lower().removesuffix("?")
            for one in part
            for question, answer in one
            if answer.startswith("Make a key")
        }
        for part in (data.train, data.validation, data.test)
    ]
    assert all(parts)
    assert not any(one & other for one, other in ((parts[0], parts[1]), (parts[0], parts[2]), (parts[1], parts[2])))
    assert data == dialogues(3)


@pytest.mark.slow
def test_questions_are_answered_in_a_stream_and_what_was_told_is_remembered(
    installation: Installation, served_starter: Callable[[str], str]
) -> None:
    slug = served_starter("guide")
    client = openai.OpenAI(base_url=f"{installation.url}/v1", api_key=installation.key)

    def ask(*said: str) -> str:
        messages: list[Any] = [
            {"role": ("user", "assistant")[at % 2], "content": content} for at, content in enumerate(said)
        ]
        stream = client.chat.completions.create(model=slug, messages=messages, stream=True)
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
        assert len(pieces) > 2, "it streams"
        return "".join(pieces)

    wrong = {question: said for question, meant in PLAIN.items() if meant not in (said := ask(question))}
    assert len(wrong) <= 1, wrong
    greeting = ask("My name is Laura.")
    assert "Laura" in greeting
    assert "Laura" in ask("My name is Laura.", greeting, "What is my name?")


@pytest.mark.slow
def test_other_protocols_converse_with_it_too(installation: Installation, served_starter: Callable[[str], str]) -> None:
    slug = served_starter("guide")
    asked = [{"role": "user", "content": "What is Mercato?"}]
    status, answer, headers = installation.call("/v1/chat/completions", {"model": slug, "messages": asked})
    assert status == 200, answer
    (choice,), usage = answer["choices"], answer["usage"]
    assert choice["finish_reason"] == "stop"
    cost = (0.05 * usage["prompt_tokens"] + 0.20 * usage["completion_tokens"]) / 1e6
    assert float(headers["x-mercato-cost"]) == pytest.approx(cost, abs=1e-9)
    messages: list[Any] = asked
    client = anthropic.Anthropic(base_url=installation.url, api_key=installation.key)
    said = client.messages.create(model=slug, max_tokens=60, messages=messages).content[0]
    assert json.loads(said.to_json())["text"] == choice["message"]["content"]
    status, prediction, _ = installation.call(f"/v1/models/{slug}/predictions", {"input": {"messages": asked}})
    assert (status, prediction["output"]["text"]) == (200, choice["message"]["content"])
