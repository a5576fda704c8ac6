"""A stream as Anthropic's events, in their order: https://docs.anthropic.com/en/api/messages-streaming"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inference.api import streaming
from inference.api.anthropic import wire
from inference.engines.engine import Piece
from inference.engines.openai import reasoning_of
from inference.predict import Stream
from portal.accounts.wire import problems


class _Blocks:
    """The content blocks of one answer: thoughts, text, then tools, each opened and closed."""

    def __init__(self) -> None:
        self._index = -1
        self._open = ""  # "text", "thinking", or the id of a tool's call
        self._tools: dict[int, str] = {}

    def text(self, text: str) -> bytes:
        """A part of the text."""
        opened = self._begin("text", {"type": "text", "text": ""}) if self._open != "text" else b""
        return opened + self._delta({"type": "text_delta", "text": text})

    def thinking(self, text: str) -> bytes:
        """A part of what the model thinks. Nobody signs it here."""
        block = {"type": "thinking", "thinking": "", "signature": ""}
        opened = self._begin("thinking", block) if self._open != "thinking" else b""
        return opened + self._delta({"type": "thinking_delta", "thinking": text})

    def tool(self, call: dict[str, Any]) -> bytes:
        """A part of a tool's call, as OpenAI gives it."""
        function = call.get("function") or {}
        name = self._tools.get(call.get("index", 0))
        said = b""
        if name is None:
            name = self._tools[call.get("index", 0)] = str(call.get("id"))
            block = {"type": "tool_use", "id": name, "name": function.get("name", ""), "input": {}}
            said = self._begin(name, block)
        if function.get("arguments"):
            said += self._delta({"type": "input_json_delta", "partial_json": function["arguments"]})
        return said

    def close(self) -> bytes:
        """Ends the block that is open."""
        if not self._open:
            return b""
        self._open = ""
        return streaming.event("content_block_stop", {"type": "content_block_stop", "index": self._index})

    def _begin(self, name: str, block: dict[str, Any]) -> bytes:
        closed = self.close()
        self._index += 1
        self._open = name
        begun = {"type": "content_block_start", "index": self._index, "content_block": block}
        return closed + streaming.event("content_block_start", begun)

    def _delta(self, delta: dict[str, Any]) -> bytes:
        said = {"type": "content_block_delta", "index": self._index, "delta": delta}
        return streaming.event("content_block_delta", said)


def events(stream: Stream, request_id: str, asked: wire.Asked) -> Iterator[bytes]:
    """message_start, the blocks, message_delta with how it ended and what it used, message_stop; or an error."""
    blocks = _Blocks()
    finish: str | None = None
    stop: str | None = None
    started: dict[str, Any] = {
        "id": f"msg_{request_id}", "type": "message", "role": "assistant", "model": stream.resolved.slug, "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 0, "output_tokens": 0},
    }  # fmt: skip
    try:
        yield streaming.event("message_start", {"type": "message_start", "message": started})
        for piece in stream:
            finish, stop = piece.finish or finish, piece.stop or stop
            said = _said(piece, blocks, asked.thinking)
            if said:
                yield said
            elif not piece.finish:
                yield streaming.event("ping", {"type": "ping"})
        assert stream.outcome is not None, "a stream that ended was settled"
        yield blocks.close()
        ended = wire.ending(finish, stop, asked)
        yield streaming.event(
            "message_delta", {"type": "message_delta", "delta": ended, "usage": wire.usage(stream.outcome)}
        )
        yield streaming.event("message_stop", {"type": "message_stop"})
    except Exception as error:
        yield streaming.event("error", wire.error(problems.as_problem(error), request_id))


def _said(piece: Piece, blocks: _Blocks, thinking: bool) -> bytes:
    if not piece.native:
        return blocks.text(piece.text) if piece.text else b""
    said = b""
    for chunk in piece.native:
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {"content": choice.get("text")}
            if thinking and reasoning_of(delta):
                said += blocks.thinking(reasoning_of(delta))
            if delta.get("content"):
                said += blocks.text(delta["content"])
            for call in delta.get("tool_calls") or ():
                said += blocks.tool(call)
    return said
