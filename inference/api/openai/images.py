"""POST /v1/images/generations"""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from inference.api.openai import images_wire as wire
from inference.api.view import PredictionView


class Images(PredictionView):
    """Images for a prompt."""

    def post(self, request: Request) -> HttpResponse:
        outcome = self.run(wire.call_of(self.body(request), self.caller, self.request_id))
        return self.answer(outcome, wire.response(outcome))
