"""OpenAI's responses: bytes ↔ Call and Outcome. Inside, a conversation has the form of chat completions.

https://platform.openai.com/docs/api-reference/responses. Nothing is stored: the caller sends the conversation along.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from billing import money
from inference.api import conversation
from inference.api.openai.responses_items import messages_of, tool_of
from inference.api.view import FieldInvalid, fields
from inference.call import Call, Outcome
from inference.counting import tokens_read
from portal.accounts.keys.lookup import Caller

_REFUSED = {
    "previous_response_id": "send the whole conversation as input",
    "conversation": "send the whole conversation as input",
    "background": "use predictions with Prefer: respond-async",
    "background_options": "use predictions with Prefer: respond-async",
    "prompt": "send the prompt's text as input",
    "include": "leave it out",
}
# OpenAI's own servers have these: chat completions have no field for them.
_THEIRS = ("max_tool_calls", "context_management", "access_programs", "image")
_TRANSLATED = (
    "model", "input", "instructions", "stream", "stream_options", "max_output_tokens", "reasoning", "text", "tools",
    "tool_choice", "truncation", "store", "metadata", "n", "top_logprobs", *_REFUSED, *_THEIRS,
)  # fmt: skip
_NAMES = {
    "messages": "input", "max_completion_tokens": "max_output_tokens", "reasoning_effort": "reasoning/effort",
    "response_format": "text/format", "verbosity": "text/verbosity",
}  # fmt: skip


def call_of(body: Any, caller: Caller, request_id: str) -> tuple[Call, bool]:
    """The call, and whether to stream it. Fields that nobody here knows go along. Raises FieldInvalid and catalog errors."""
    given = fields(body)
    _refuse(given)
    # What a response tells of itself, such as metadata, is told by us: the model does not hear it.
    chat = {name: value for name, value in given.items() if name not in _TRANSLATED and value is not None}
    if given.get("max_output_tokens") is not None:
        chat["max_completion_tokens"] = given["max_output_tokens"]
    effort = _part(given, "reasoning", ("effort",)).get("effort")
    text = _part(given, "text", ("format", "verbosity"))
    chat |= {
        name: value for name, value in (("reasoning_effort", effort), ("verbosity", text.get("verbosity"))) if value
    }
    chat |= _format(text.get("format") or {})
    chat["messages"] = messages_of(given)
    if given.get("tools"):
        if not isinstance(given["tools"], list):
            raise FieldInvalid("tools is a list.", param="/tools")
        chat["tools"] = [tool_of(tool, at) for at, tool in enumerate(given["tools"])]
    chosen = given.get("tool_choice")
    if isinstance(chosen, dict) and chosen.get("type") == "function":
        chat["tool_choice"] = {"type": "function", "function": {"name": chosen.get("name")}}
    elif chosen is not None:
        chat["tool_choice"] = chosen
    stream = given.get("stream") or False
    if not isinstance(stream, bool):
        raise FieldInvalid("stream must be true or false.", param="/stream")
    return conversation.call_of(chat, given.get("model"), "responses", caller, request_id, _NAMES), stream


def _refuse(given: Mapping[str, Any]) -> None:
    """Raises FieldInvalid for what has no other name here."""
    for name, instead in _REFUSED.items():
        if given.get(name):
            raise FieldInvalid(f"{name} is not carried here, since nothing is stored: {instead}.", param=f"/{name}")
    for name in _THEIRS:
        if given.get(name) is not None:
            raise FieldInvalid(f"{name} is not carried here: leave it out.", param=f"/{name}")
    if given.get("store") not in (None, False):
        raise FieldInvalid("Responses are not stored here: send store false, or leave it out.", param="/store")
    if given.get("truncation") not in (None, "disabled"):
        raise FieldInvalid("truncation is disabled here: send what fits the model.", param="/truncation")
    if (given.get("n") or 1) != 1:
        raise FieldInvalid("A response is one answer: leave n out.", param="/n")
    if given.get("top_logprobs"):
        raise FieldInvalid("top_logprobs are told by chat completions only: leave it out.", param="/top_logprobs")
    if any(_part(given, "stream_options", ("include_obfuscation",)).values()):
        raise FieldInvalid("include_obfuscation is false here.", param="/stream_options/include_obfuscation")


def _part(given: Mapping[str, Any], field: str, known: tuple[str, ...]) -> Mapping[str, Any]:
    """A field that is an object, all of whose fields are `known`. Raises FieldInvalid."""
    said = given.get(field) or {}
    if not isinstance(said, dict):
        raise FieldInvalid(f"{field} is an object.", param=f"/{field}")
    for name, value in said.items():
        if name not in known and value is not None:
            raise FieldInvalid(f"{name[:60]} of {field} is not carried here.", param=f"/{field}/{name[:60]}")
    return said


def _format(shape: Any) -> dict[str, Any]:
    match shape.get("type") if isinstance(shape, dict) else "":
        case "json_schema":
            schema = {name: value for name, value in shape.items() if name != "type"}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        case "json_object":
            return {"response_format": {"type": "json_object"}}
        case "text" | None:
            return {}
        case _:
            raise FieldInvalid("format is text, json_schema or json_object here.", param="/text/format/type")


def response(outcome: Outcome, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A Response; `asked` is the request's body, of which it repeats some."""
    said, finish = conversation.message_of(outcome.output)
    output = []
    if said.get("content") or not said.get("tool_calls"):
        output.append(text_item(f"msg_{outcome.event_id}", said.get("content") or "", "completed"))
    for call in said.get("tool_calls") or ():
        function = call["function"]
        output.append(tool_item(call["id"], function["name"], function.get("arguments") or "", "completed"))
    return {**frame(f"resp_{outcome.event_id}", outcome.resolved.slug, asked), **ended(outcome, output, finish)}


def frame(name: str, model: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A Response that has just begun."""
    return {
        "id": name,
        "object": "response",
        "created_at": int(time.time()),
        "model": model,
        "status": "in_progress",
        "output": [],
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "metadata": asked.get("metadata") or {},
        "parallel_tool_calls": asked.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "store": False,
        "temperature": asked.get("temperature"),
        "text": asked.get("text") or {"format": {"type": "text"}},
        "tool_choice": asked.get("tool_choice") or "auto",
        "tools": asked.get("tools") or [],
        "top_p": asked.get("top_p"),
        "truncation": "disabled",
        "usage": None,
    }


def ended(outcome: Outcome, output: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
    """What a finished Response says beyond its frame."""
    why = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(finish or "")
    read, written = tokens_read(outcome.units), outcome.units.get("output_token", 0)
    return {
        "status": "incomplete" if why else "completed",
        "incomplete_details": {"reason": why} if why else None,
        "output": output,
        "usage": {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": outcome.units.get("cached_input_token", 0)},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read + written,
            "cost": money.decimal(outcome.cost_nanos),
        },
        **({"cost_capped": True} if outcome.capped else {}),
    }


def text_item(name: str, text: str, status: str) -> dict[str, Any]:
    """An output message."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"id": name, "type": "message", "role": "assistant", "status": status, "content": content}


def tool_item(name: str, function: str, arguments: str, status: str) -> dict[str, Any]:
    """A function call."""
    return {
        "id": f"fc_{name}", "type": "function_call", "call_id": name, "name": function, "arguments": arguments,
        "status": status,
    }  # fmt: skip
