"""OpenAI's chat completions: bytes ↔ Call and Outcome.

Shapes as the official Python SDK reads them; `usage.cost` (dollars, as text) is ours.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from billing import money
from inference.api import conversation, streaming
from inference.api.view import FieldInvalid, fields
from inference.call import Call, Outcome
from inference.engines.engine import Piece
from inference.predict import Stream
from portal.accounts.keys.lookup import Caller
from portal.accounts.wire import problems


def call_of(body: Any, caller: Caller, request_id: str) -> tuple[Call, bool, bool]:
    """The call, whether to stream it, and whether the stream shall tell the usage. Raises FieldInvalid and catalog errors."""
    given = dict(fields(body))
    model = given.pop("model", None)
    wants_usage = (
        bool((given.get("stream_options") or {}).get("include_usage")) if given.get("stream") is True else False
    )
    stream = given.pop("stream", None) or False
    if not isinstance(stream, bool):
        raise FieldInvalid("stream must be true or false.", param="/stream")
    given.pop("stream_options", None)
    call = conversation.call_of(given, model, "openai", caller, request_id)
    return call, stream, wants_usage


def completion(outcome: Outcome) -> dict[str, Any]:
    """A ChatCompletion."""
    if isinstance(outcome.output, dict) and "choices" in outcome.output:
        return {**outcome.output, "model": outcome.resolved.slug, "usage": usage(outcome, outcome.output.get("usage"))}
    message = {"role": "assistant", "content": outcome.output["text"], "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": outcome.output["finish_reason"], "logprobs": None}
    return {
        "id": f"chatcmpl-{outcome.event_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": outcome.resolved.slug,
        "choices": [choice],
        "usage": usage(outcome, None),
    }


def chunks(stream: Stream, request_id: str, wants_usage: bool) -> Iterator[bytes]:
    """The stream as ChatCompletionChunks, `[DONE]` last; an error in the middle is an event of its own."""
    frame = {
        "id": f"chatcmpl-{request_id}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": stream.resolved.slug,
    }
    no_usage = {"usage": None} if wants_usage else {}
    first, passed = True, False  # whether an upstream's own chunks were passed on: they tell how it finished
    try:
        for piece in stream:
            passed = passed or bool(piece.native)
            if piece.native:
                # One write for all that came at once.
                yield b"".join(
                    streaming.data({**chunk, "model": stream.resolved.slug, **no_usage}) for chunk in piece.native
                )
            elif piece.text:
                yield streaming.data({**frame, "choices": [_choice(piece, first)], **no_usage})
            elif not piece.finish:
                yield streaming.KEEP_ALIVE
                continue
            first = False
            if piece.finish and not piece.native and not passed:
                yield streaming.data(
                    {**frame, "choices": [_choice(Piece("", {}, finish=piece.finish), False)], **no_usage}
                )
        assert stream.outcome is not None, "a stream that ended was settled"
        if wants_usage or stream.outcome.capped:
            capped = {"cost_capped": True} if stream.outcome.capped else {}
            yield streaming.data({**frame, "choices": [], "usage": usage(stream.outcome, None), **capped})
        yield streaming.DONE
    except Exception as error:
        broken = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
        yield streaming.data({**frame, **problems.body(problems.as_problem(error)), "choices": [broken]})


def _choice(piece: Piece, first: bool) -> dict[str, Any]:
    delta: dict[str, Any] = {"role": "assistant"} if first else {}
    if piece.text:
        delta["content"] = piece.text
    finish = None if piece.text else piece.finish
    return {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}


def usage(outcome: Outcome, upstream: Mapping[str, Any] | None) -> dict[str, Any]:
    """Tokens as OpenAI names them, as the upstream told them where it did; `cost` is ours."""
    read, written = outcome.units.get("input_token", 0), outcome.units.get("output_token", 0)
    counted = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return {**(upstream or counted), "cost": money.decimal(outcome.cost_nanos)}
