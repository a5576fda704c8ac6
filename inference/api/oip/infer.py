"""/v2: the Open Inference Protocol's addresses. Its errors are {"error": text}."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

from inference.api.oip import wire
from inference.api.view import PredictionView
from marketplace.catalog.resolve import resolve
from portal.accounts.wire.view import json_answer
from portal.kit.errors import Problem


class OipView(PredictionView):
    """A view whose errors have the protocol's shape; code and param go beside it."""

    def problem_body(self, problem: Problem) -> dict[str, Any]:
        return {"error": problem.message, "code": problem.code, "param": problem.param}


class Infer(OipView):
    """POST /v2/models/{publisher}/{name}/infer"""

    def post(self, request: Request, publisher: str, name: str, version: str = "") -> HttpResponse:
        slug = f"{publisher}/{name}" + (f"@{version}" if version else "")
        body = self.body(request)
        outcome = self.run(wire.call_of(body, slug, self.caller, self.request_id))
        return HttpResponse(wire.response(outcome, body), content_type="application/json")


class Metadata(OipView):
    """GET /v2/models/{publisher}/{name}"""

    def get(self, request: Request, publisher: str, name: str, version: str = "") -> HttpResponse:
        slug = f"{publisher}/{name}" + (f"@{version}" if version else "")
        return json_answer(wire.metadata(resolve(slug, self.caller.workspace_id)))


class Ready(OipView):
    """GET /v2/models/{publisher}/{name}/ready"""

    def get(self, request: Request, publisher: str, name: str) -> HttpResponse:
        resolved = resolve(f"{publisher}/{name}", self.caller.workspace_id)
        return json_answer({"name": resolved.slug, "ready": True})


def server(request: HttpRequest) -> HttpResponse:
    """GET /v2"""
    return json_answer({"name": "mercato", "version": settings.VERSION, "extensions": []})


def live(request: HttpRequest) -> HttpResponse:
    """GET /v2/health/live"""
    return json_answer({"live": True})


def ready(request: HttpRequest) -> HttpResponse:
    """GET /v2/health/ready"""
    return json_answer({"ready": True})
