"""POST /v1/embeddings"""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from inference.api.openai import embeddings_wire as wire
from inference.api.view import PredictionView


class Embeddings(PredictionView):
    """The vectors of texts."""

    def post(self, request: Request) -> HttpResponse:
        call, shape = wire.call_of(self.body(request), self.caller, self.request_id)
        outcome = self.run(call)
        return self.answer(outcome, wire.response(outcome, shape))
