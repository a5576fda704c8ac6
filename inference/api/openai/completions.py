"""POST /v1/completions: the older interface, a prompt and its continuation."""

from __future__ import annotations

import time
from collections.abc import Iterator
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

_REFUSED = ("echo", "best_of", "logprobs", "suffix", "logit_bias")


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
    for name in _REFUSED:
        if given.pop(name, None) not in (None, False, 1 if name == "best_of" else None):
            raise FieldInvalid(f"{name} is not carried here: leave it out.", param=f"/{name}")
    if (given.pop("n", None) or 1) != 1:
        raise FieldInvalid("One continuation a request: leave n out.", param="/n")
    prompt = given.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str) or not prompt:
        raise FieldInvalid("prompt is one text; lists of texts or of tokens are not taken here.", param="/prompt")
    given["prompt"] = prompt
    stream = given.pop("stream", None) or False
    wants_usage = bool((given.pop("stream_options", None) or {}).get("include_usage"))
    for name in ("user", "frequency_penalty", "presence_penalty"):
        if not given.get(name):
            given.pop(name, None)
    model = given.pop("model", None)
    return conversation.prompt_call(given, model, "openai", caller, request_id), stream, wants_usage


def completion(outcome: Outcome) -> dict[str, Any]:
    """A Completion."""
    said, finish = conversation.message_of(outcome.output)
    return {
        **_frame(f"cmpl-{outcome.event_id}", outcome.resolved.slug),
        "choices": [{"index": 0, "text": said.get("content") or "", "finish_reason": finish, "logprobs": None}],
        "usage": wire.usage(outcome, None),
    }


def chunks(stream: Stream, request_id: str, wants_usage: bool) -> Iterator[bytes]:
    """The stream as Completions, `[DONE]` last."""
    frame = _frame(f"cmpl-{request_id}", stream.resolved.slug)
    try:
        for piece in stream:
            if piece.text or piece.finish:
                choice = {"index": 0, "text": piece.text, "finish_reason": piece.finish, "logprobs": None}
                yield streaming.data({**frame, "choices": [choice]})
            else:
                yield streaming.KEEP_ALIVE
        assert stream.outcome is not None, "a stream that ended was settled"
        if wants_usage:
            yield streaming.data({**frame, "choices": [], "usage": wire.usage(stream.outcome, None)})
        yield streaming.DONE
    except Exception as error:
        yield streaming.data({**frame, **problems.body(problems.as_problem(error)), "choices": []})


def _frame(name: str, model: str) -> dict[str, Any]:
    return {"id": name, "object": "text_completion", "created": int(time.time()), "model": model}
