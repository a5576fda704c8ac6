"""Addresses of the interface where nothing is: 404 in the shape of the protocol that they would belong to."""

from __future__ import annotations

from typing import Any

from inference.api.anthropic import wire as anthropic
from portal.accounts.wire import view
from portal.kit.errors import Problem


class Nowhere(view.Nowhere):
    """OpenAI's shape, Anthropic's below /v1/messages, the Open Inference Protocol's below /v2."""

    def problem_body(self, problem: Problem) -> dict[str, Any]:
        path = self.request._request.path
        if path.startswith("/v2"):
            return {"error": problem.message, "code": problem.code, "param": problem.param}
        if path.startswith("/v1/messages/"):
            return anthropic.error(problem, self.request_id)
        return super().problem_body(problem)
