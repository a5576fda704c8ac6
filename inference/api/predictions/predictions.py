"""POST /v1/models/{publisher}/{name}/predictions"""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from inference.api import formats
from inference.api.predictions import later, wire
from inference.api.view import PredictionView
from inference.api.wishes import wishes_of
from inference.call import Call
from inference.later import predictions
from inference.later.waking import wake
from marketplace.catalog.resolve import resolve


class Predictions(PredictionView):
    """A prediction: whole, or as server-sent events where the caller accepts them."""

    def post(self, request: Request, publisher: str, name: str) -> HttpResponseBase:
        slug, accept = f"{publisher}/{name}", request._request.META.get("HTTP_ACCEPT", "")
        given = self.given(request, slug)
        call = wire.call_of(given, slug, self.caller, self.request_id)
        wait_s = later.preferred(request._request.META.get("HTTP_PREFER", ""))
        after = later.cancel_after(request._request.META.get("HTTP_CANCEL_AFTER", ""))
        if wait_s is not None:
            return self.later(given, call, wait_s, after)
        if after is not None:
            self.wishes = dataclasses.replace(self.wishes, timeout_s=after.total_seconds())
        if "text/event-stream" in accept:
            if resolve(slug, self.caller.workspace_id).task.streams:
                return self.events(wire.events(self.stream(call), self.request_id))
            return HttpResponse(wire.whole(self.run(call), self.request_id), content_type="text/event-stream")
        outcome = self.run(call)
        return self.answer(outcome, wire.prediction(outcome, self.request_id, outcome.output))

    def later(self, given: Any, call: Call, wait_s: float, after: timedelta | None) -> HttpResponse:
        """A worker makes it: the finished prediction if that does not take longer than `wait_s`, else 202."""
        hook, events = given.get("webhook") or "", given.get("webhook_events_filter") or ["completed"]
        if hook:
            later.check_webhook(hook, events)
        prediction = predictions.queue(
            self.id_of_new("pred"), self.caller, call.model, call.given, self.wishes, after, hook, events
        )
        wake("make_predictions")
        return later.wait_for(prediction, wait_s)

    def given(self, request: Request, slug: str) -> Any:
        """The body as JSON would have it, whatever its form."""
        if not formats.is_other(request._request.META.get("CONTENT_TYPE", "")):
            return self.body(request)

        def schema() -> Any:
            resolved = resolve(slug, self.caller.workspace_id)
            return resolved.task.codec.input_schema(resolved.spec)

        found = formats.read(request._request, schema)
        self.wishes = self.known(wishes_of(request._request.META, found))
        return found
