"""The base of every view that predicts: limits and repeats before, cost and limits in the headers after."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.request import Request

from billing import money
from inference import limits, predict
from inference.api import repeats
from inference.api.repeats import Repeat
from inference.api.wishes import wishes_of
from inference.call import NONE, Call, Outcome, Wishes
from inference.testmode import Disconnected
from portal.accounts.wire.view import KeyedView, json_answer
from portal.kit.errors import Problem


class FieldInvalid(Problem):
    """A field of the body is missing or wrong; `param` points at it."""

    status = 422
    code = "input_invalid"


class _Repeated(Exception):
    """The answer is there already."""


class PredictionView(KeyedView):
    """Counts the request against the key's limits; every answer says its cost and what is left."""

    allowance: limits.Allowance = limits.UNLIMITED
    cost_nanos: int | None = 0
    wishes: Wishes = NONE
    repeat: Repeat = repeats.NOTHING
    following: predict.Stream | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request._request.method == "OPTIONS":
            return
        self.allowance = limits.take(self.caller)
        limits.refuse(self.allowance)
        meta = request._request.META
        if request._request.method == "POST" and ("HTTP_IDEMPOTENCY_KEY" in meta or "HTTP_X_MERCATO_CACHE" in meta):
            address = f"POST {request._request.path}"
            self.repeat = repeats.look_up(meta, self.caller.workspace_id, address, request._request.body)
            if self.repeat.answer is not None:
                raise _Repeated

    def body(self, request: Request) -> Any:
        """The JSON of the body without what the caller wishes of any call; that is in `self.wishes`."""
        content = super().body(request)
        self.wishes = self.known(wishes_of(request._request.META, content))
        return content

    def known(self, wishes: Wishes) -> Wishes:
        """The wishes, with what an Idempotency-Key says of this attempt."""
        attempt = self.repeat.attempt
        if attempt is None:
            return wishes
        return dataclasses.replace(wishes, operation_id=attempt.id, paid=attempt.paid)

    def run(self, call: Call) -> Outcome:
        """The whole answer to the call, as its caller wishes."""
        outcome = predict.run(self._wished(call))
        self.cost_nanos = outcome.cost_nanos
        return outcome

    def stream(self, call: Call) -> predict.Stream:
        """The answer in pieces, to be rendered and given to `events`."""
        self.following = predict.Stream(self._wished(call))
        return self.following

    def answer(self, outcome: Outcome, content: Any) -> HttpResponse:
        """The JSON answer of a prediction."""
        if outcome.capped and isinstance(content, dict):
            content["cost_capped"] = True
        response = json_answer(content)
        if self.caller.test and self.wishes.fault == "disconnect":
            return _cut_off(response)  # type: ignore[return-value] # a stream that breaks
        return response

    def events(self, parts: Iterator[bytes]) -> StreamingHttpResponse:
        """Server-sent events; their last one tells the cost, which no header can."""
        self.cost_nanos = None
        response = StreamingHttpResponse(
            content_type="text/event-stream", headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        )
        if self.caller.test and self.wishes.fault == "disconnect":
            response["Content-Length"] = str(1024**2)  # of which little comes: the server then breaks the connection
        kept = self.repeat.attempt is not None or self.repeat.cache_s
        response.streaming_content = self.repeat.follow(response, parts, self._ended_well) if kept else parts
        if self.following is not None:
            response._resource_closers.append(self.following.close)  # type: ignore[attr-defined] # after that of the parts
        return response

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, _Repeated):
            self.cost_nanos = None  # the kept headers tell
            return self.repeat.answer
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        for name, value in self.allowance.headers().items():
            response[name] = value
        if self.cost_nanos is not None:
            response["x-mercato-cost"] = money.decimal(self.cost_nanos)
        if hasattr(self, "caller"):
            if self.caller.tpm:
                for name, value in limits.tokens_left(self.caller).headers("tokens").items():
                    response[name] = value
            if self.caller.origin:
                response["Access-Control-Allow-Origin"] = self.caller.origin
                response["Access-Control-Expose-Headers"] = "x-request-id, x-mercato-cost"
                response["Vary"] = "Origin"
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.repeat is not repeats.NOTHING:
            for name, value in self.repeat.headers.items():
                response[name] = value
            if self.repeat.answer is None and not response.streaming:
                self.repeat.keep(response, response.content)
        return response

    def _wished(self, call: Call) -> Call:
        return call if self.wishes is NONE else dataclasses.replace(call, wishes=self.wishes)

    def _ended_well(self) -> bool:
        return self.following is not None and self.following.succeeded


def fields(body: Any) -> dict[str, Any]:
    """The body, which must be a JSON object. Raises FieldInvalid."""
    if not isinstance(body, dict):
        raise FieldInvalid("The body must be a JSON object.", param="")
    return body


def _cut_off(response: HttpResponse) -> StreamingHttpResponse:
    """Half of the answer, then the connection breaks: for clients that test what they do then."""

    def half() -> Iterator[bytes]:
        yield response.content[: len(response.content) // 2]
        raise Disconnected

    return StreamingHttpResponse(
        half(), content_type=response["Content-Type"], headers={"Content-Length": str(len(response.content))}
    )
