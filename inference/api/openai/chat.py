"""POST /v1/chat/completions"""

from __future__ import annotations

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from inference.api.openai import wire
from inference.api.view import PredictionView


class ChatCompletions(PredictionView):
    """An answer to messages, whole or streamed."""

    def post(self, request: Request) -> HttpResponseBase:
        call, stream, wants_usage = wire.call_of(self.body(request), self.caller, self.request_id)
        if stream:
            return self.events(wire.chunks(self.stream(call), self.request_id, wants_usage))
        outcome = self.run(call)
        return self.answer(outcome, wire.completion(outcome))
