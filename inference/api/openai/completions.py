"""POST /v1/completions: the older interface, a prompt and its continuation."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from inference.api import conversation, streaming
from inference.api.openai import wire
from inference.api.view import FieldInvalid, PredictionView, fields
from inference.call import Call, Outcome
from inference.predict import Stream
from portal.accounts.keys.lookup import Caller
from portal.accounts.wire import problems


class Completions(PredictionView):
    """A text's continuation, whole or streamed."""

    def post(self, request: Request) -> HttpResponseBase:
        call, stream, wants_usage = call_of(self.body(request), self.caller, self.request_id)
        if stream:
            return self.events(chunks(self.stream(call), self.request_id, wants_usage))
        outcome = self.run(call)
        return self.answer(outcome, completion(outcome))


def call_of(body: Any, caller: Caller, request_id: str) -> tuple[Call, bool, bool]:
    """The call, whether to stream it, and whether the stream shall tell the usage. Raises FieldInvalid."""
    given = dict(fields(body))
    prompt = given.get("prompt")
    if not isinstance(prompt, (str, list)) or not prompt:
        raise FieldInvalid("Add prompt: a text; or a list of texts or of tokens, for upstreams.", param="/prompt")
    model = given.pop("model", None)
    stream, wants_usage = wire.streaming_of(given)
    return conversation.prompt_call(given, model, caller, request_id), stream, wants_usage


def completion(outcome: Outcome) -> dict[str, Any]:
    """A Completion, with all choices that an upstream gave."""
    told, frame = outcome.output, _frame(outcome.event_id, outcome.resolved.slug)
    if "choices" in told:
        rest = {name: value for name, value in told.items() if name not in ("text", "finish_reason")}
        if "message" in told["choices"][0]:  # of an upstream that converses
            rest = {**frame, "choices": [_choice(choice) for choice in told["choices"]]}
        return {**rest, "model": frame["model"], "usage": wire.usage(outcome, told.get("usage"))}
    choice = {"index": 0, "text": told["text"], "finish_reason": told["finish_reason"], "logprobs": None}
    return {**frame, "choices": [choice], "usage": wire.usage(outcome, None)}


def chunks(stream: Stream, request_id: str, wants_usage: bool) -> Iterator[bytes]:
    """The stream as Completions, `[DONE]` last."""
    frame = _frame(request_id, stream.resolved.slug)
    no_usage = {"usage": None} if wants_usage else {}
    passed = False  # whether an upstream's own chunks were passed on: they tell how it finished
    try:
        for piece in stream:
            passed = passed or bool(piece.native)
            if piece.native:
                yield b"".join(
                    streaming.data({**_chunk(chunk, frame), "model": stream.resolved.slug, **no_usage})
                    for chunk in piece.native
                )
            elif piece.text or (piece.finish and not passed):
                choice = {"index": 0, "text": piece.text, "finish_reason": piece.finish, "logprobs": None}
                yield streaming.data({**frame, "choices": [choice], **no_usage})
            elif not piece.finish:
                yield streaming.KEEP_ALIVE
        assert stream.outcome is not None, "a stream that ended was settled"
        if wants_usage or stream.outcome.capped:
            capped = {"cost_capped": True} if stream.outcome.capped else {}
            yield streaming.data({**frame, "choices": [], "usage": wire.usage(stream.outcome, None), **capped})
        yield streaming.DONE
    except Exception as error:
        broken = {"index": 0, "text": "", "finish_reason": "error", "logprobs": None}
        yield streaming.data({**frame, **problems.body(problems.as_problem(error)), "choices": [broken]})


def _frame(name: str, model: str) -> dict[str, Any]:
    return {"id": f"cmpl-{name}", "object": "text_completion", "created": int(time.time()), "model": model}


def _chunk(chunk: Mapping[str, Any], frame: Mapping[str, Any]) -> Mapping[str, Any]:
    """An upstream's chunk; one of a conversation gets the form of a text's."""
    if "delta" not in chunk["choices"][0]:
        return chunk
    return {**frame, "choices": [_choice(choice) for choice in chunk["choices"]]}


def _choice(choice: Mapping[str, Any]) -> dict[str, Any]:
    """A choice of an upstream that converses, as one of a text's."""
    said = choice.get("delta") or choice.get("message") or {}
    ended = {"finish_reason": choice.get("finish_reason"), "logprobs": None}
    return {"index": choice.get("index", 0), "text": said.get("content") or "", **ended}
