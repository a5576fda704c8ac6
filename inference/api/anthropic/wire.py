"""Anthropic's messages: bytes ↔ Call and Outcome. Shapes as the official Python SDK reads them.

https://docs.anthropic.com/en/api/messages. Inside, a conversation has OpenAI's form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from billing import money
from inference.api import conversation
from inference.api.view import FieldInvalid, fields
from inference.call import Call, Outcome
from portal.accounts.keys.lookup import Caller
from portal.kit.errors import Problem

_TYPES = {
    401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error", 504: "timeout_error",
}  # fmt: skip
_ENDS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_PASSED = ("temperature", "top_p", "top_k")
_REFUSED = ("thinking", "mcp_servers", "container", "context_management")


def error(problem: Problem, request_id: str) -> dict[str, Any]:
    """The error's JSON; code and param go beside Anthropic's fields."""
    kind = _TYPES.get(problem.status, "invalid_request_error" if problem.status < 500 else "api_error")
    details = {"type": kind, "message": problem.message, "code": problem.code, "param": problem.param}
    return {"type": "error", "error": {**details, **problem.details}, "request_id": request_id}


def call_of(body: Any, caller: Caller, request_id: str, *, counting: bool = False) -> tuple[Call, bool]:
    """The call, and whether to stream it. Raises FieldInvalid and catalog errors. `counting`: it is not to be run."""
    given = fields(body)
    for name in _REFUSED:
        if given.get(name) and given[name] != {"type": "disabled"}:
            raise FieldInvalid(f"{name} is not carried here: leave it out.", param=f"/{name}")
    most = given.get("max_tokens")
    if not counting and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise FieldInvalid("Add max_tokens, a whole number of at least 1.", param="/max_tokens")
    chat: dict[str, Any] = {name: given[name] for name in _PASSED if given.get(name) is not None}
    if most is not None:
        chat["max_tokens"] = most
    if given.get("stop_sequences"):
        chat["stop"] = given["stop_sequences"]
    chat["messages"] = _messages(given)
    if given.get("tools"):
        chat["tools"] = [_tool(tool, at) for at, tool in enumerate(given["tools"])]
        chosen = given.get("tool_choice")
        if isinstance(chosen, dict):
            chat["tool_choice"] = _choice(chosen)
            if chosen.get("disable_parallel_tool_use"):
                chat["parallel_tool_calls"] = False
    stream = given.get("stream") or False
    if not isinstance(stream, bool):
        raise FieldInvalid("stream must be true or false.", param="/stream")
    return conversation.call_of(chat, given.get("model"), "anthropic", caller, request_id), stream


def message(outcome: Outcome) -> dict[str, Any]:
    """A Message."""
    said, ended = conversation.message_of(outcome.output)
    content: list[dict[str, Any]] = []
    if said.get("content"):
        content.append({"type": "text", "text": said["content"], "citations": None})
    for call in said.get("tool_calls") or ():
        content.append(
            {
                "type": "tool_use",
                "id": call["id"],
                "name": call["function"]["name"],
                "input": _arguments(call["function"].get("arguments")),
            }
        )
    return {
        "id": f"msg_{outcome.event_id}",
        "type": "message",
        "role": "assistant",
        "model": outcome.resolved.slug,
        "content": content,
        "stop_reason": _ENDS.get(ended, "end_turn"),
        "stop_sequence": None,
        "usage": usage(outcome),
    }


def usage(outcome: Outcome) -> dict[str, Any]:
    """Tokens as Anthropic names them; `cost` (dollars, as text) is ours."""
    units = outcome.units
    return {
        "input_tokens": units.get("input_token", 0),
        "output_tokens": units.get("output_token", 0),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": units.get("cached_token", 0),
        "cost": money.decimal(outcome.cost_nanos),
    }


def ending(finish: str | None) -> str:
    """Anthropic's stop_reason for OpenAI's finish_reason."""
    return _ENDS.get(finish or "stop", "end_turn")


def _messages(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    said = given.get("messages")
    if not isinstance(said, list) or not said:
        raise FieldInvalid("Add messages, a list with at least one message.", param="/messages")
    found: list[dict[str, Any]] = []
    system = given.get("system")
    if system:
        found.append({"role": "system", "content": _text(system, "/system")})
    for at, one in enumerate(said):
        if not isinstance(one, dict) or one.get("role") not in ("user", "assistant", "system"):
            raise FieldInvalid("A message has the role user or assistant.", param=f"/messages/{at}/role")
        content = one.get("content")
        if isinstance(content, str):
            found.append({"role": one["role"], "content": content})
        elif isinstance(content, list):
            found += _blocks(one["role"], content, f"/messages/{at}/content")
        else:
            raise FieldInvalid("content is a text or a list of blocks.", param=f"/messages/{at}/content")
    return found


def _blocks(role: str, blocks: list[Any], pointer: str) -> list[dict[str, Any]]:
    """One message of Anthropic's is several of OpenAI's: results of tools are messages of their own."""
    parts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for at, block in enumerate(blocks):
        kind = block.get("type") if isinstance(block, dict) else None
        match kind:
            case "text":
                parts.append({"type": "text", "text": block.get("text", "")})
            case "image":
                parts.append({"type": "image_url", "image_url": {"url": _image(block, f"{pointer}/{at}")}})
            case "tool_use":
                function = {"name": block.get("name"), "arguments": orjson.dumps(block.get("input") or {}).decode()}
                calls.append({"id": block.get("id"), "type": "function", "function": function})
            case "tool_result":
                content = _text(block.get("content") or "", f"{pointer}/{at}/content")
                results.append({"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": content})
            case "thinking" | "redacted_thinking":
                continue  # another model's notes to itself
            case _:
                raise FieldInvalid(
                    f"Blocks of type {str(kind)[:40]!r} are not carried here: use text, image, tool_use, tool_result.",
                    param=f"{pointer}/{at}/type",
                )
    found = list(results)
    if parts or calls:
        plain = all(part["type"] == "text" for part in parts)
        said: Any = "".join(part["text"] for part in parts) if plain else parts
        found.append({"role": role, "content": said or None, **({"tool_calls": calls} if calls else {})})
    return found


def _image(block: Mapping[str, Any], pointer: str) -> str:
    source = block.get("source")
    if isinstance(source, dict) and source.get("type") == "base64":
        return f"data:{source.get('media_type', 'image/png')};base64,{source.get('data', '')}"
    if isinstance(source, dict) and source.get("type") == "url":
        return str(source.get("url", ""))
    raise FieldInvalid("An image's source is base64 or url.", param=f"{pointer}/source")


def _text(content: Any, pointer: str) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        return "\n".join(str(part.get("text", "")) for part in content)
    raise FieldInvalid("This is a text or a list of text blocks.", param=pointer)


def _tool(tool: Any, at: int) -> dict[str, Any]:
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str) or tool.get("type") not in (None, "custom"):
        raise FieldInvalid(
            "A tool has a name and an input_schema; Anthropic's own tools are not here.", param=f"/tools/{at}"
        )
    function = {"name": tool["name"], "parameters": tool.get("input_schema") or {"type": "object"}}
    if tool.get("description"):
        function["description"] = tool["description"]
    return {"type": "function", "function": function}


def _choice(chosen: Mapping[str, Any]) -> Any:
    match chosen.get("type"):
        case "any":
            return "required"
        case "none":
            return "none"
        case "tool":
            return {"type": "function", "function": {"name": chosen.get("name")}}
        case _:
            return "auto"


def _arguments(text: Any) -> Any:
    try:
        return orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {"arguments": text}
