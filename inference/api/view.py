"""The base of every view that predicts: what its caller wishes, and what the answer cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import http_date
from rest_framework.request import Request

from billing import money
from inference import predict, settling
from inference.api.repeats import Repeat
from inference.api.wishes import wishes_of
from inference.call import NONE, Call, Outcome, Wishes
from inference.errors import FaultUnknown
from inference.testmode import Disconnected
from marketplace.catalog.resolve import Leaving
from portal.accounts.wire.answers import json_answer
from portal.accounts.wire.view import KeyedView
from portal.kit import ids
from portal.kit.errors import Problem


class FieldInvalid(Problem):
    """A field of the body is missing or wrong; `param` points at it."""

    status = 422
    code = "input_invalid"


class PredictionView(KeyedView):
    """Counts among the key's requests a minute; every answer says its cost."""

    counted = True
    cost_nanos: int | None = 0
    wishes: Wishes = NONE
    repeat: Repeat | None = None
    ran: settling.Ran | None = None  # set where the answer may be kept
    following: predict.Stream | None = None
    leaving: Leaving | None = None  # of the version that answered

    def body(self, request: Request) -> Any:
        """The JSON of the body without what the caller wishes of any call; that is in `self.wishes`."""
        content = super().body(request)
        self.wishes = self.known(wishes_of(request._request.META, content))
        return content

    def known(self, wishes: Wishes) -> Wishes:
        """The wishes, with what an Idempotency-Key says of this attempt. Raises FaultUnknown for a key that is real."""
        if wishes.fault and not self.caller.test:
            raise FaultUnknown(
                "x-test-fault is for test keys: leave it out, or use a key mk_test_….", param="x-test-fault"
            )
        attempt = self.repeat.attempt if self.repeat is not None else None
        if attempt is None:
            return wishes
        return dataclasses.replace(wishes, operation_id=attempt.id, paid=attempt.paid)

    def id_of_new(self, prefix: str) -> str:
        """The id of what this request makes: the same for an attempt that takes over from one that died."""
        attempt = self.repeat.attempt if self.repeat is not None else None
        return ids.make(prefix) if attempt is None else ids.of_attempt(prefix, attempt.id, attempt.since)

    def run(self, call: Call) -> Outcome:
        """The whole answer to the call, as its caller wishes."""
        outcome = predict.run(self._wished(call))
        self.cost_nanos, self.leaving = outcome.cost_nanos, outcome.resolved.leaving
        if self.repeat is not None:
            self.ran = settling.Ran(outcome.resolved.slug, outcome.resolved.version_id, call.protocol)
        return outcome

    def stream(self, call: Call) -> predict.Stream:
        """The answer in pieces, to be rendered and given to `events`."""
        self.following = following = predict.Stream(self._wished(call))
        self.leaving = following.resolved.leaving
        if self.repeat is not None:
            self.ran = settling.Ran(following.resolved.slug, following.resolved.version_id, call.protocol)
        return following

    def answer(self, outcome: Outcome, content: Any) -> HttpResponse:
        """The JSON answer of a prediction."""
        if outcome.capped and isinstance(content, dict):
            content["cost_capped"] = True
        return json_answer(content)

    def events(self, parts: Iterator[bytes]) -> StreamingHttpResponse:
        """Server-sent events; their last one tells the cost, which no header can."""
        self.cost_nanos = None if self.following is not None else 0  # to follow what another request began is free
        response = StreamingHttpResponse(
            content_type="text/event-stream", headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        )
        if self.wishes.fault == "disconnect":
            response["Content-Length"] = str(1024**2)  # of which little comes: the server then breaks the connection
        response.streaming_content = parts if self.repeat is None else self.repeat.follow(response, parts, self._whole)
        if self.following is not None:
            response._resource_closers.append(self.following.close)  # type: ignore[attr-defined] # after that of the parts
        if self.repeat is not None:
            response._resource_closers.append(self.repeat.give_up)  # type: ignore[attr-defined] # if nobody read a part
        return response

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if self.cost_nanos is not None:
            response.headers.setdefault("x-mercato-cost", money.decimal(self.cost_nanos))
        if self.leaving is not None:
            for name, value in _goes(self.leaving).items():
                response.headers[name] = value
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.wishes.fault == "disconnect" and not response.streaming and response.status_code == 200:
            return _cut_off(response)
        return response

    def _wished(self, call: Call) -> Call:
        return call if self.wishes is NONE else dataclasses.replace(call, wishes=self.wishes)

    def _whole(self) -> settling.Ran | None:
        return self.ran if self.following is not None and self.following.succeeded else None


def fields(body: Any) -> dict[str, Any]:
    """The body, which must be a JSON object. Raises FieldInvalid."""
    if not isinstance(body, dict):
        raise FieldInvalid("The body must be a JSON object.", param="")
    return body


def _goes(leaving: Leaving) -> dict[str, str]:
    """Deprecation by RFC 9745, Sunset by RFC 8594, and by RFC 5829 what follows."""
    headers = {
        "Deprecation": f"@{int(leaving.announced_at.timestamp())}",
        "Sunset": http_date(leaving.ends_at.timestamp()),
    }
    if leaving.successor:
        headers["Link"] = f'<{settings.SITE_URL}/models/{leaving.successor}>; rel="successor-version"'
    return headers


def _cut_off(response: HttpResponse) -> StreamingHttpResponse:
    """Half of the answer, then the connection breaks: for clients that test what they do then."""

    def half() -> Iterator[bytes]:
        yield response.content[: len(response.content) // 2]
        raise Disconnected

    return StreamingHttpResponse(half(), headers={**response.headers, "Content-Length": str(len(response.content))})
