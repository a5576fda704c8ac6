"""The items of a Responses request in the form of chat completions. What has none there is refused by name.

A `reasoning` item, a model's notes to itself, is left out: an upstream that speaks chat completions has no place for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference.api.view import FieldInvalid


def messages_of(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The instructions and the input of a body. Raises FieldInvalid."""
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
            detail = {"detail": part["detail"]} if part.get("detail") else {}
            parts.append({"type": "image_url", "image_url": {"url": part["image_url"], **detail}})
        else:
            raise FieldInvalid(
                "content is a text, or a list of input_text and input_image.", param=f"/input/{at}/content"
            )
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def tool_of(tool: Any, at: int) -> dict[str, Any]:
    """The tool that stands at this place. Raises FieldInvalid."""
    if not isinstance(tool, dict) or tool.get("type") != "function" or not tool.get("name"):
        raise FieldInvalid("Tools are functions here; OpenAI's own tools are not carried.", param=f"/tools/{at}")
    return {"type": "function", "function": {name: value for name, value in tool.items() if name != "type"}}
