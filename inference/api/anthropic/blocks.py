"""Anthropic's content blocks and tools in OpenAI's form. What has none there is refused by name.

`cache_control` is left out: it tells Anthropic's servers what to keep, and changes no answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from inference.api.view import FieldInvalid

# Of a tool: what is carried, and what changes no answer.
_CARRIED = ("name", "description", "input_schema", "type", "strict")
_HINTS = ("cache_control", "eager_input_streaming")


def messages_of(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The system prompt and the messages of a body. Raises FieldInvalid."""
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
                content = _result(block, f"{pointer}/{at}/content")
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


def _result(block: Mapping[str, Any], pointer: str) -> Any:
    """What a tool gave: a text, or parts where images are among it. OpenAI has no mark for errors: the text says it."""
    content = block.get("content") or ""
    error = "Error: " if block.get("is_error") else ""
    if isinstance(content, list) and any(isinstance(part, dict) and part.get("type") == "image" for part in content):
        parts: list[dict[str, Any]] = [{"type": "text", "text": error}] if error else []
        for at, part in enumerate(content):
            if isinstance(part, dict) and part.get("type") == "image":
                parts.append({"type": "image_url", "image_url": {"url": _image(part, f"{pointer}/{at}")}})
            else:
                parts.append({"type": "text", "text": _text([part], f"{pointer}/{at}")})
        return parts
    return error + _text(content, pointer)


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
    raise FieldInvalid("This is a text or a list of text blocks, and a tool's result images.", param=pointer)


def tool_of(tool: Any, at: int) -> dict[str, Any]:
    """The tool that stands at this place as a function. Raises FieldInvalid."""
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str) or tool.get("type") not in (None, "custom"):
        raise FieldInvalid(
            "A tool has a name and an input_schema; Anthropic's own tools are not here.", param=f"/tools/{at}"
        )
    for name, value in tool.items():
        # Whoever may call it by Anthropic's code execution, may also call it directly.
        if name not in (*_CARRIED, *_HINTS) and value and not (name == "allowed_callers" and value == ["direct"]):
            raise FieldInvalid(f"{name[:60]} of a tool is not carried here: leave it out.", param=f"/tools/{at}/{name}")
    function = {"name": tool["name"], "parameters": tool.get("input_schema") or {"type": "object"}}
    function |= {name: tool[name] for name in ("description", "strict") if tool.get(name)}
    return {"type": "function", "function": function}


def choice_of(chosen: Mapping[str, Any]) -> Any:
    """Which tools are to be used. Raises FieldInvalid."""
    match chosen.get("type"):
        case "any":
            return "required"
        case "none":
            return "none"
        case "tool":
            return {"type": "function", "function": {"name": chosen.get("name")}}
        case "auto":
            return "auto"
        case _:
            raise FieldInvalid("tool_choice has the type auto, any, tool or none.", param="/tool_choice/type")
