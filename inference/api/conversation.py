"""Conversations in one form, whatever protocol they came by: OpenAI's chat completions.

A model that only continues text gets what the messages say, one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference.api.view import FieldInvalid
from inference.call import Call
from marketplace.catalog.resolve import resolve
from portal.accounts.keys.lookup import Caller

# What a model that only continues text cannot do; asked for, it is refused by name.
_CHAT_ONLY = (
    "tools", "tool_choice", "functions", "function_call", "response_format", "logprobs", "top_logprobs", "audio",
)  # fmt: skip
_PASSED_TO_TEXT = ("temperature", "seed", "stop", "top_k", "top_p")


def call_of(given: Mapping[str, Any], model: Any, protocol: str, caller: Caller, request_id: str) -> Call:
    """The call of a conversation in OpenAI's fields. Raises FieldInvalid and catalog errors."""
    if not isinstance(model, str) or not model:
        raise FieldInvalid("Add the field model, such as mercato/prose.", param="/model")
    if resolve(model, caller.workspace_id).task.name == "text-generation":
        given = _as_prompt(given)
    return Call(caller, model, protocol, given, request_id, pointer="")


def prompt_call(given: Mapping[str, Any], model: Any, protocol: str, caller: Caller, request_id: str) -> Call:
    """The call of a bare prompt: as it is for a model that continues text, as one message for one that converses."""
    if not isinstance(model, str) or not model:
        raise FieldInvalid("Add the field model, such as mercato/prose.", param="/model")
    if resolve(model, caller.workspace_id).task.name != "text-generation":
        rest = {name: value for name, value in given.items() if name != "prompt"}
        given = {**rest, "messages": [{"role": "user", "content": given["prompt"]}]}
    return Call(caller, model, protocol, given, request_id, pointer="")


def _as_prompt(given: Mapping[str, Any]) -> dict[str, Any]:
    for name in _CHAT_ONLY:
        if given.get(name):
            raise FieldInvalid(f"This model continues text and cannot use {name}.", param=f"/{name}")
    if (given.get("n") or 1) != 1:
        raise FieldInvalid("This model gives one answer: leave n out.", param="/n")
    messages = given.get("messages")
    if not isinstance(messages, list) or not messages:
        raise FieldInvalid("Add messages, a list with at least one message.", param="/messages")
    said = []
    for at, message in enumerate(messages):
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, str):
            raise FieldInvalid("The content must be text.", param=f"/messages/{at}/content")
        said.append(content)
    prompt = {name: given[name] for name in _PASSED_TO_TEXT if given.get(name) is not None}
    most = given.get("max_completion_tokens") or given.get("max_tokens")
    return {**prompt, **({"max_tokens": most} if most is not None else {}), "prompt": "\n".join(said)}


def message_of(output: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The first answer's message in OpenAI's form, and how it ended, whichever engine gave it."""
    if "choices" in output:
        choice = output["choices"][0]
        return dict(choice["message"]), str(choice.get("finish_reason") or "stop")
    return {"role": "assistant", "content": output["text"]}, str(output["finish_reason"])
