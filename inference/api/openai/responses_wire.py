"""OpenAI's responses: bytes ↔ Call and Outcome. Inside, a conversation has the form of chat completions.

https://platform.openai.com/docs/api-reference/responses. Nothing is stored: the caller sends the conversation along.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from billing import money
from inference.api import conversation
from inference.api.view import FieldInvalid, fields
from inference.call import Call, Outcome
from portal.accounts.keys.lookup import Caller

_REFUSED = {
    "previous_response_id": "send the whole conversation as input",
    "conversation": "send the whole conversation as input",
    "background": "use predictions with Prefer: respond-async",
    "prompt": "send the prompt's text as input",
    "include": "leave it out",
}
_PASSED = ("temperature", "top_p", "top_logprobs", "user", "service_tier", "parallel_tool_calls", "seed")


def call_of(body: Any, caller: Caller, request_id: str) -> tuple[Call, bool]:
    """The call, and whether to stream it. Raises FieldInvalid and catalog errors."""
    given = fields(body)
    for name, instead in _REFUSED.items():
        if given.get(name):
            raise FieldInvalid(f"{name} is not carried here, since nothing is stored: {instead}.", param=f"/{name}")
    if given.get("store") is True:
        raise FieldInvalid("Responses are not stored here: send store false, or leave it out.", param="/store")
    chat: dict[str, Any] = {name: given[name] for name in _PASSED if given.get(name) is not None}
    if given.get("max_output_tokens") is not None:
        chat["max_completion_tokens"] = given["max_output_tokens"]
    if (given.get("reasoning") or {}).get("effort"):
        chat["reasoning_effort"] = given["reasoning"]["effort"]
    shape = (given.get("text") or {}).get("format") or {}
    if shape.get("type") == "json_schema":
        chat["response_format"] = {
            "type": "json_schema",
            "json_schema": {k: v for k, v in shape.items() if k != "type"},
        }
    elif shape.get("type") == "json_object":
        chat["response_format"] = {"type": "json_object"}
    chat["messages"] = _messages(given)
    if given.get("tools"):
        chat["tools"] = [_tool(tool, at) for at, tool in enumerate(given["tools"])]
        chosen = given.get("tool_choice")
        if isinstance(chosen, dict) and chosen.get("type") == "function":
            chat["tool_choice"] = {"type": "function", "function": {"name": chosen.get("name")}}
        elif chosen is not None:
            chat["tool_choice"] = chosen
    stream = given.get("stream") or False
    if not isinstance(stream, bool):
        raise FieldInvalid("stream must be true or false.", param="/stream")
    return conversation.call_of(chat, given.get("model"), "responses", caller, request_id), stream


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
    cut = finish == "length"
    read, written = outcome.units.get("input_token", 0), outcome.units.get("output_token", 0)
    return {
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": output,
        "usage": {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": outcome.units.get("cached_token", 0)},
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


def _messages(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if given.get("instructions"):
        found.append({"role": "system", "content": str(given["instructions"])})
    said = given.get("input")
    if isinstance(said, str) and said:
        return [*found, {"role": "user", "content": said}]
    if not isinstance(said, list) or not said:
        raise FieldInvalid("Add input: a text, or a list of items.", param="/input")
    for at, item in enumerate(said):
        kind = item.get("type", "message") if isinstance(item, dict) else None
        match kind:
            case "message":
                found.append({"role": item.get("role", "user"), "content": _content(item.get("content"), at)})
            case "function_call":
                function = {"name": item.get("name"), "arguments": item.get("arguments") or "{}"}
                call = {"id": item.get("call_id"), "type": "function", "function": function}
                if found and found[-1].get("tool_calls"):
                    found[-1]["tool_calls"].append(call)
                else:
                    found.append({"role": "assistant", "content": None, "tool_calls": [call]})
            case "function_call_output":
                result = item.get("output")
                text = result if isinstance(result, str) else _content(result, at)
                found.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": text})
            case "reasoning":
                continue  # a model's notes to itself
            case _:
                raise FieldInvalid(
                    f"Items of type {str(kind)[:40]!r} are not carried here: use message, function_call, function_call_output.",
                    param=f"/input/{at}/type",
                )
    return found


def _content(content: Any, at: int) -> Any:
    if isinstance(content, str):
        return content
    parts: list[dict[str, Any]] = []
    for given in content if isinstance(content, list) else [None]:
        part = given if isinstance(given, dict) else {}
        kind = part.get("type")
        if kind in ("input_text", "output_text", "text"):
            parts.append({"type": "text", "text": part.get("text", "")})
        elif kind == "input_image" and part.get("image_url"):
            parts.append({"type": "image_url", "image_url": {"url": part["image_url"]}})
        else:
            raise FieldInvalid(
                "content is a text, or a list of input_text and input_image.", param=f"/input/{at}/content"
            )
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _tool(tool: Any, at: int) -> dict[str, Any]:
    if not isinstance(tool, dict) or tool.get("type") != "function" or not tool.get("name"):
        raise FieldInvalid("Tools are functions here; OpenAI's own tools are not carried.", param=f"/tools/{at}")
    return {"type": "function", "function": {name: value for name, value in tool.items() if name != "type"}}
