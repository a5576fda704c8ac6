"""The base of every view that predicts: limits before, cost and limits in the headers after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.request import Request

from billing import money
from inference import limits
from inference.api.ephemeral import EphemeralAuthentication
from inference.call import Outcome
from portal.accounts.keys.authentication import KeyAuthentication
from portal.accounts.wire.view import KeyedView, json_answer
from portal.kit.errors import Problem


class FieldInvalid(Problem):
    """A field of the body is missing or wrong; `param` points at it."""

    status = 422
    code = "input_invalid"


class PredictionView(KeyedView):
    """Counts the request against the key's limits; every answer says its cost and what is left."""

    authentication_classes = (KeyAuthentication, EphemeralAuthentication)
    allowance: limits.Allowance = limits.UNLIMITED
    cost_nanos: int | None = 0

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.allowance = limits.take(self.caller)
        limits.refuse(self.allowance)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in self.allowance.headers().items():
            response[name] = value
        if self.cost_nanos is not None:
            response["x-mercato-cost"] = money.decimal(self.cost_nanos)
        return response

    def answer(self, outcome: Outcome, content: Any) -> HttpResponse:
        """The JSON answer of a prediction."""
        self.cost_nanos = outcome.cost_nanos
        return json_answer(content)

    def events(self, stream: Iterator[bytes]) -> StreamingHttpResponse:
        """Server-sent events; their last one tells the cost, which no header can."""
        self.cost_nanos = None
        return StreamingHttpResponse(
            stream,
            content_type="text/event-stream",
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )


def fields(body: Any) -> dict[str, Any]:
    """The body, which must be a JSON object. Raises FieldInvalid."""
    if not isinstance(body, dict):
        raise FieldInvalid("The body must be a JSON object.", param="")
    return body
