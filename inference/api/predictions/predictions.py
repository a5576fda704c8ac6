"""POST /v1/models/{publisher}/{name}/predictions"""

from __future__ import annotations

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from inference.api.predictions import wire
from inference.api.view import PredictionView


class Predictions(PredictionView):
    """A prediction: whole, or as server-sent events where the caller accepts them and the model streams."""

    def post(self, request: Request, publisher: str, name: str) -> HttpResponseBase:
        call = wire.call_of(self.body(request), f"{publisher}/{name}", self.caller, self.request_id)
        if "text/event-stream" in request.META.get("HTTP_ACCEPT", ""):
            return self.events(wire.events(self.stream(call), self.request_id))
        outcome = self.run(call)
        return self.answer(outcome, wire.prediction(outcome, self.request_id, outcome.output))
