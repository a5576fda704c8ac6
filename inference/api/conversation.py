"""Conversations in one form, whatever protocol they came by: OpenAI's chat completions.

A model that only continues text gets what the messages say, one after the other. Fields that nobody here knows go along:
the engine passes them on, or refuses them by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference.api.view import FieldInvalid
from inference.call import Call
from inference.engines import fields
from inference.engines.openai import stop_of
from marketplace.catalog.resolve import Resolved, resolve
from portal.accounts.keys.lookup import Caller

# What a model that only continues text cannot do, wherever it runs.
_CHAT_ONLY = (
    "tools", "tool_choice", "functions", "function_call", "parallel_tool_calls", "response_format", "logprobs",
    "top_logprobs", "audio", "modalities", "prediction", "reasoning_effort", "web_search_options", "verbosity",
)  # fmt: skip
# What only the older interface has: a model that converses does it with the bare prompt, if its upstream can.
_COMPLETIONS_ONLY = ("echo", "best_of", "suffix", "logprobs")
NO_NAMES: Mapping[str, str] = {}


def call_of(
    given: Mapping[str, Any], model: Any, protocol: str, caller: Caller, request_id: str,
    names: Mapping[str, str] = NO_NAMES,
) -> Call:  # fmt: skip
    """The call of a conversation in OpenAI's fields, which `names` gives the caller's names for.

    Raises FieldInvalid and catalog errors.
    """
    if _found(model, caller).task.name == "text-generation":
        given, names = _as_prompt(given, names), {"prompt": "messages", **names}
        if "max_completion_tokens" in given:
            given["max_tokens"] = given.pop("max_completion_tokens")
            names = {**names, "max_tokens": names.get("max_completion_tokens", "max_completion_tokens")}
    elif "messages" not in given:
        raise FieldInvalid("Add the missing field messages.", param="")
    return Call(caller, model, protocol, given, request_id, pointer="", names=names)


def prompt_call(given: Mapping[str, Any], model: Any, caller: Caller, request_id: str) -> Call:
    """The call of a bare prompt: as it is for a model that continues text, as one message for one that converses.

    Where its upstream is asked for what only a bare prompt has, that gets the prompt as it is too.
    """
    found, prompt = _found(model, caller), given["prompt"]
    alone = prompt[0] if isinstance(prompt, list) and len(prompt) == 1 else prompt
    here = found.engine in fields.RUN_HERE
    if found.task.name == "text-generation":
        given = {**given, "prompt": alone} if here else given
    elif here or (isinstance(alone, str) and all(fields.asks_nothing(n, given.get(n)) for n in _COMPLETIONS_ONLY)):
        if not isinstance(alone, str):
            raise FieldInvalid("This model runs here and continues one text: send it alone.", param="/prompt")
        unasked = ("prompt", *(name for name in _COMPLETIONS_ONLY if fields.asks_nothing(name, given.get(name))))
        rest = {name: value for name, value in given.items() if name not in unasked}
        given = {**rest, "messages": [{"role": "user", "content": alone}]}
    return Call(caller, model, "openai", given, request_id, pointer="", names={"messages": "prompt"})


def _found(model: Any, caller: Caller) -> Resolved:
    if not isinstance(model, str) or not model:
        raise FieldInvalid("Add the field model, such as mercato/prose.", param="/model")
    return resolve(model, caller.workspace_id)


def _as_prompt(given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The conversation as a text to continue, with all other fields. Raises FieldInvalid."""
    for name in _CHAT_ONLY:
        if not fields.asks_nothing(name, given.get(name)):
            said = names.get(name, name)
            raise FieldInvalid(
                f"This model continues text and cannot use {said.replace('/', '.')}: leave it out.", param=f"/{said}"
            )
    messages = given.get("messages")
    if not isinstance(messages, list) or not messages:
        raise FieldInvalid("Add messages, a list with at least one message.", param="/messages")
    said_so_far = [_text(message, at) for at, message in enumerate(messages)]
    rest = {
        name: value
        for name, value in given.items()
        if value is not None and name != "messages" and name not in _CHAT_ONLY
    }
    return {**rest, "prompt": "\n".join(said_so_far)}


def _text(message: Any, at: int) -> str:
    """What one message says. Raises FieldInvalid for anything but text."""
    message = message if isinstance(message, dict) else {}
    for name in ("tool_calls", "function_call", "audio"):
        if message.get(name):
            raise FieldInvalid(f"This model continues text and cannot use {name}.", param=f"/messages/{at}/{name}")
    if message.get("role") in ("tool", "function"):
        raise FieldInvalid("This model continues text and cannot use tools.", param=f"/messages/{at}/role")
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in parts]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise FieldInvalid("The content must be text.", param=f"/messages/{at}/content")
    return "".join(map(str, texts))


def message_of(output: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The first answer's message in OpenAI's form, and how it ended, whichever engine gave it."""
    if "choices" in output:
        choice = output["choices"][0]
        return message_in(choice), str(choice.get("finish_reason") or "stop")
    return {"role": "assistant", "content": output["text"]}, str(output["finish_reason"])


def message_in(choice: Mapping[str, Any]) -> dict[str, Any]:
    """The message of one choice of an upstream, also of one that only continues text."""
    message = choice.get("message")
    if isinstance(message, dict):
        return dict(message)
    return {"role": "assistant", "content": choice.get("text") or "", "refusal": None}


def stopped_by(output: Mapping[str, Any]) -> str | None:
    """The stop sequence that ended the answer, where the engine tells."""
    if "choices" in output:
        return stop_of(output["choices"][0])
    return output.get("stop_sequence")
