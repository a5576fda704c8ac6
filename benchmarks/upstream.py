"""An OpenAI-compatible server that answers at once, or streams TOKENS tokens at RATE a second where asked to."""

from __future__ import annotations

import asyncio
import json
from typing import Any

RATE, TOKENS = 20, 100
_USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
_MESSAGE = {"role": "assistant", "content": "hello there"}
_WHOLE = json.dumps(
    {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "usage": _USAGE,
     "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop"}]}
).encode()  # fmt: skip


def _event(choices: list[Any], **more: Any) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


_CHUNK = _event([{"index": 0, "delta": {"content": "word "}, "finish_reason": None}])
_LAST = _event([{"index": 0, "delta": {}, "finish_reason": "stop"}])
_END = (
    _event([], usage={"prompt_tokens": 9, "completion_tokens": TOKENS, "total_tokens": 9 + TOKENS})
    + b"data: [DONE]\n\n"
)


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """ASGI."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if b'"stream":true' not in body.replace(b" ", b""):
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(_WHOLE)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": _WHOLE})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    loop = asyncio.get_running_loop()
    start = loop.time()
    for number in range(TOKENS):
        await send({"type": "http.response.body", "body": _CHUNK, "more_body": True})
        await asyncio.sleep(max(0.0, start + (number + 1) / RATE - loop.time()))
    await send({"type": "http.response.body", "body": _LAST + _END})
