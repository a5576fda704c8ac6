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
from inference.counting import tokens_read
from inference.engines.engine import Piece
from inference.predict import Stream
from portal.accounts.keys.lookup import Caller
from portal.accounts.wire import problems


def call_of(body: Any, caller: Caller, request_id: str) -> tuple[Call, bool, bool]:
    """The call, whether to stream it, and whether the stream shall tell the usage. Raises FieldInvalid and catalog errors."""
    given = dict(fields(body))
    model = given.pop("model", None)
    stream, wants_usage = streaming_of(given)
    call = conversation.call_of(given, model, "openai", caller, request_id)
    return call, stream, wants_usage


def streaming_of(given: dict[str, Any]) -> tuple[bool, bool]:
    """Whether to stream, and whether to tell the usage then; both are taken out. Raises FieldInvalid."""
    stream = given.pop("stream", None) or False
    if not isinstance(stream, bool):
        raise FieldInvalid("stream must be true or false.", param="/stream")
    options = given.pop("stream_options", None) or {}
    if not isinstance(options, dict):
        raise FieldInvalid("stream_options is an object.", param="/stream_options")
    # The usage is told here; the rest is the upstream's, and asks for nothing where it is false.
    rest = {name: value for name, value in options.items() if name != "include_usage" and value}
    if stream and rest:
        given["stream_options"] = rest
    return stream, stream and bool(options.get("include_usage"))


def completion(outcome: Outcome) -> dict[str, Any]:
    """A ChatCompletion."""
    told, frame = outcome.output, _frame("chat.completion", outcome.event_id, outcome.resolved.slug)
    if "choices" in told:
        rest = {name: value for name, value in told.items() if name not in ("text", "finish_reason")}
        if "message" not in told["choices"][0]:  # of an upstream that continues text
            rest = {**frame, "choices": [_chat_choice(choice) for choice in told["choices"]]}
        return {**rest, "model": frame["model"], "usage": usage(outcome, told.get("usage"))}
    message = {"role": "assistant", "content": told["text"], "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": told["finish_reason"], "logprobs": None}
    return {**frame, "choices": [choice], "usage": usage(outcome, None)}


def chunks(stream: Stream, request_id: str, wants_usage: bool) -> Iterator[bytes]:
    """The stream as ChatCompletionChunks, `[DONE]` last; an error in the middle is an event of its own."""
    frame = _frame("chat.completion.chunk", request_id, stream.resolved.slug)
    no_usage = {"usage": None} if wants_usage else {}
    first, passed = True, False  # whether an upstream's own chunks were passed on: they tell how it finished
    try:
        for piece in stream:
            passed = passed or bool(piece.native)
            if piece.native:
                # One write for all that came at once.
                yield b"".join(
                    streaming.data({**_chat_chunk(chunk, frame), "model": stream.resolved.slug, **no_usage})
                    for chunk in piece.native
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


def _frame(kind: str, name: str, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{name}", "object": kind, "created": int(time.time()), "model": model}


def _chat_choice(choice: Mapping[str, Any]) -> dict[str, Any]:
    """A choice of an upstream that continues text, as one of a conversation."""
    said = {"message": conversation.message_in(choice), "finish_reason": choice.get("finish_reason")}
    return {"index": choice.get("index", 0), **said, "logprobs": None}


def _chat_chunk(chunk: Mapping[str, Any], frame: Mapping[str, Any]) -> Mapping[str, Any]:
    """An upstream's chunk; one that continues text gets the form of a conversation's."""
    if "delta" in chunk["choices"][0]:
        return chunk
    choices = [
        {"index": choice.get("index", 0), "delta": {"content": choice.get("text") or ""},
         "finish_reason": choice.get("finish_reason"), "logprobs": None}
        for choice in chunk["choices"]
    ]  # fmt: skip
    return {**frame, "choices": choices}


def usage(outcome: Outcome, upstream: Mapping[str, Any] | None) -> dict[str, Any]:
    """Tokens as OpenAI names them, as the upstream told them where it did; `cost` is ours."""
    read, written = tokens_read(outcome.units), outcome.units.get("output_token", 0)
    counted: dict[str, Any] = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    if outcome.units.get("cached_input_token"):
        counted["prompt_tokens_details"] = {"cached_tokens": outcome.units["cached_input_token"]}
    return {**(upstream or counted), "cost": money.decimal(outcome.cost_nanos)}
