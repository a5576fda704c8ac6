"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from __future__ import annotations

from typing import Any

import orjson

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"  # a comment: it tells who left, and keeps those who wait


def data(content: Any) -> bytes:
    """An event without a name."""
    return b"data: " + orjson.dumps(content) + b"\n\n"


def event(name: str, content: Any) -> bytes:
    """An event with a name."""
    return b"event: " + name.encode() + b"\n" + data(content)
