"""/docs: how to start, how errors look, how money works."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from billing.money import show

ERRORS = [
    (400, "invalid_json"), (401, "invalid_api_key"), (402, "insufficient_quota"), (403, "model_not_allowed"),
    (404, "model_not_found"), (413, "body_too_large"), (415, "unsupported_media_type"), (422, "input_invalid"),
    (429, "rate_limit_exceeded"), (502, "upstream_failed"), (503, "overloaded"),
]  # fmt: skip


def docs(request: HttpRequest) -> HttpResponse:
    """The page."""
    context = {"site_url": settings.SITE_URL, "errors": ERRORS, "trial": show(settings.TRIAL_CREDIT_NANOS)}
    return render(request, "portal/docs.html", context)
