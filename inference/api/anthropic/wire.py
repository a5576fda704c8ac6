"""Anthropic's messages: bytes ↔ Call and Outcome. Shapes as the official Python SDK reads them.

https://docs.anthropic.com/en/api/messages. Inside, a conversation has OpenAI's form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import orjson

from billing import money
from inference.api import conversation
from inference.api.anthropic.blocks import choice_of, messages_of, tool_of
from inference.api.view import FieldInvalid, fields
from inference.call import Call, Outcome
from inference.engines.openai import reasoning_of
from portal.accounts.keys.lookup import Caller
from portal.kit.errors import Problem

_TYPES = {
    401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error", 504: "timeout_error",
}  # fmt: skip
_ENDS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_THINKS = ("enabled", "adaptive")
_EFFORTS = ((4_096, "low"), (16_384, "medium"), (inf, "high"))  # for less tokens of thinking than these
_TRANSLATED = (
    "model", "messages", "system", "max_tokens", "stop_sequences", "stream", "tools", "tool_choice", "metadata",
    "service_tier", "output_config", "thinking", "cache_control",
)  # fmt: skip
# Anthropic's own servers have these, and their accounts. `speed` has a way to ask for nothing.
_REFUSED = (
    "mcp_servers", "container", "context_management", "inference_geo", "user_profile_id", "workspace_id", "diagnostics",
)  # fmt: skip
_NAMES = {
    "stop": "stop_sequences", "user": "metadata/user_id", "response_format": "output_config/format",
    "reasoning_effort": "output_config/effort", "parallel_tool_calls": "tool_choice/disable_parallel_tool_use",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A call, and how its answer is wanted."""

    call: Call
    stream: bool
    stops: tuple[str, ...]  # the stop sequences, of which the answer names the one that ended it
    thinking: bool  # the answer tells what the model thought, where the upstream tells it


def error(problem: Problem, request_id: str) -> dict[str, Any]:
    """The error's JSON; code and param go beside Anthropic's fields."""
    kind = _TYPES.get(problem.status, "invalid_request_error" if problem.status < 500 else "api_error")
    details = {"type": kind, "message": problem.message, "code": problem.code, "param": problem.param}
    return {"type": "error", "error": {**details, **problem.details}, "request_id": request_id}


def call_of(body: Any, caller: Caller, request_id: str, *, counting: bool = False) -> Asked:
    """The call. Fields that nobody here knows go along. Raises FieldInvalid and catalog errors.

    `counting`: it is not to be run.
    """
    given = fields(body)
    for name in _REFUSED:
        if given.get(name):
            raise FieldInvalid(f"{name} is not carried here: leave it out.", param=f"/{name}")
    if given.get("speed") not in (None, "standard"):
        raise FieldInvalid("speed is standard here: leave it out.", param="/speed")
    if (given.get("n") or 1) != 1:
        raise FieldInvalid("A message is one answer: leave n out.", param="/n")
    most = given.get("max_tokens")
    if not counting and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise FieldInvalid("Add max_tokens, a whole number of at least 1.", param="/max_tokens")
    stream = given.get("stream") or False
    if not isinstance(stream, bool):
        raise FieldInvalid("stream must be true or false.", param="/stream")
    stops = given.get("stop_sequences") or []
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise FieldInvalid("stop_sequences is a list of texts.", param="/stop_sequences")
    known = (*_TRANSLATED, "speed", "n")
    chat = {name: value for name, value in given.items() if name not in known and value is not None}
    chat["messages"] = messages_of(given)
    chat |= {"max_tokens": most} if most is not None else {}
    chat |= {"stop": stops} if stops else {}
    chat |= _tools(given) | _account(given)
    chat |= _output(given) | _effort(given)
    thinking = given.get("thinking") or {}
    names = {**_NAMES, "reasoning_effort": "thinking"} if thinking.get("type") in _THINKS else _NAMES
    call = conversation.call_of(chat, given.get("model"), "anthropic", caller, request_id, names)
    shown = thinking.get("type") in _THINKS and thinking.get("display") != "omitted"
    return Asked(call, stream, tuple(stops), shown)


def message(outcome: Outcome, asked: Asked) -> dict[str, Any]:
    """A Message."""
    said, ended = conversation.message_of(outcome.output)
    content: list[dict[str, Any]] = []
    if asked.thinking and reasoning_of(said):
        content.append({"type": "thinking", "thinking": reasoning_of(said), "signature": ""})
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
        **ending(ended, conversation.stopped_by(outcome.output), asked),
        "usage": usage(outcome),
    }


def usage(outcome: Outcome) -> dict[str, Any]:
    """Tokens as Anthropic names them; `cost` (dollars, as text) is ours."""
    units = outcome.units
    return {
        "input_tokens": units.get("input_token", 0),
        "output_tokens": units.get("output_token", 0),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": units.get("cached_input_token", 0),
        "cost": money.decimal(outcome.cost_nanos),
    }


def ending(finish: str | None, stop: str | None, asked: Asked) -> dict[str, Any]:
    """Anthropic's stop_reason for OpenAI's finish_reason, and the stop sequence where it is known to be why."""
    if stop is not None and stop in asked.stops:
        return {"stop_reason": "stop_sequence", "stop_sequence": stop}
    return {"stop_reason": _ENDS.get(finish or "stop", "end_turn"), "stop_sequence": None}


def _tools(given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if given.get("tools"):
        if not isinstance(given["tools"], list):
            raise FieldInvalid("tools is a list.", param="/tools")
        found["tools"] = [tool_of(tool, at) for at, tool in enumerate(given["tools"])]
    chosen = given.get("tool_choice")
    if chosen is not None:
        if not isinstance(chosen, dict):
            raise FieldInvalid("tool_choice is an object with a type.", param="/tool_choice")
        found["tool_choice"] = choice_of(chosen)
        if chosen.get("disable_parallel_tool_use"):
            found["parallel_tool_calls"] = False
    return found


def _account(given: Mapping[str, Any]) -> dict[str, Any]:
    """Whose request it is, and how soon it is wanted."""
    found: dict[str, Any] = {}
    metadata = given.get("metadata") or {}
    _only(metadata, ("user_id",), "metadata")
    if metadata.get("user_id"):
        found["user"] = metadata["user_id"]
    tier = given.get("service_tier")
    if tier is not None:
        found["service_tier"] = "default" if tier == "standard_only" else tier
    return found


def _output(given: Mapping[str, Any]) -> dict[str, Any]:
    config = given.get("output_config") or {}
    _only(config, ("effort", "format"), "output_config")
    shape = config.get("format")
    if not shape:
        return {}
    if not isinstance(shape, dict) or shape.get("type") != "json_schema" or not isinstance(shape.get("schema"), dict):
        raise FieldInvalid("format is a json_schema with its schema.", param="/output_config/format")
    named = {"name": "output", "schema": shape["schema"], "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _effort(given: Mapping[str, Any]) -> dict[str, Any]:
    """How much the model shall think, in OpenAI's words: as said, else by the tokens that it may think."""
    thinking = given.get("thinking") or {}
    _only(thinking, ("type", "budget_tokens", "display"), "thinking")
    kind, effort = thinking.get("type"), (given.get("output_config") or {}).get("effort")
    if kind not in (None, "disabled", *_THINKS):
        raise FieldInvalid("thinking is enabled, adaptive or disabled here.", param="/thinking/type")
    if effort or kind not in _THINKS:
        return {"reasoning_effort": effort} if effort else {}
    if kind == "adaptive":
        return {"reasoning_effort": "medium"}
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or budget < 1:
        raise FieldInvalid("Add budget_tokens, a whole number of tokens.", param="/thinking/budget_tokens")
    return {"reasoning_effort": next(effort for most, effort in _EFFORTS if budget < most)}


def _only(said: Any, known: tuple[str, ...], field: str) -> None:
    """Raises FieldInvalid for what has no other name here."""
    if not isinstance(said, dict):
        raise FieldInvalid(f"{field} is an object.", param=f"/{field}")
    for name, value in said.items():
        if name not in known and value is not None:
            raise FieldInvalid(f"{name[:60]} of {field} is not carried here.", param=f"/{field}/{name[:60]}")


def _arguments(text: Any) -> Any:
    try:
        return orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {"arguments": text}
