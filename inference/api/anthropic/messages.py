"""POST /v1/messages and /v1/messages/count_tokens"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from inference.api.anthropic import wire
from inference.api.anthropic.events import events
from inference.api.view import PredictionView
from inference.plan import size
from portal.accounts.wire.answers import json_answer
from portal.kit.errors import Problem


class Messages(PredictionView):
    """An answer to messages, whole or streamed."""

    def problem_body(self, problem: Problem) -> dict[str, Any]:
        return wire.error(problem, self.request_id)

    def post(self, request: Request) -> HttpResponseBase:
        asked = wire.call_of(self.body(request), self.caller, self.request_id)
        if asked.stream:
            return self.events(events(self.stream(asked.call), self.request_id, asked))
        outcome = self.run(asked.call)
        return self.answer(outcome, wire.message(outcome, asked))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["request-id"] = response["x-request-id"]  # where Anthropic's clients look
        return response


class CountTokens(Messages):
    """How many tokens messages have: an estimate, four bytes each, since only the model's own tokenizer knows."""

    def post(self, request: Request) -> HttpResponse:
        given = wire.call_of(self.body(request), self.caller, self.request_id, counting=True).call.given
        said = [given.get("messages") or given.get("prompt") or "", given.get("tools") or []]
        return json_answer({"input_tokens": -(-size(said) // 4), "estimated": True})
