"""Problems become answers here, and nowhere else."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

import redis
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpResponse
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions

from portal.accounts.wire.answers import json_answer
from portal.kit.errors import Problem

log = logging.getLogger(__name__)
_TYPES = {401: "authentication_error", 402: "insufficient_quota", 403: "permission_error", 429: "rate_limit_error"}


def as_problem(error: BaseException) -> Problem:
    """The Problem that any exception is to the caller. What nobody foresaw is logged and becomes a 500."""
    match error:
        case Problem():
            return error
        case exceptions.UnsupportedMediaType():
            return Problem("Send the body as application/json.", code="unsupported_media_type", status=415)
        case MultiPartParserError() | TooManyFieldsSent() | TooManyFilesSent():
            return Problem("The form cannot be read: check its boundary and its number of parts.", code="invalid_form")
        case exceptions.MethodNotAllowed():
            return Problem("This address does not take that method.", code="method_not_allowed", status=405)
        case RequestDataTooBig():
            return Problem("The body is too large.", code="body_too_large", status=413)
        case exceptions.APIException():
            return Problem(str(error.detail), code=str(error.default_code), status=error.status_code)
        case Http404():
            return Problem("There is nothing at this address.", code="not_found", status=404)
        case DatabaseError() | InterfaceError() | redis.RedisError():
            log.error("a store fails: %s", type(error).__name__)
            return Problem(
                "The store is unavailable: try again shortly.", code="store_unavailable", status=503, retry_after_s=1
            )
        case _:
            # The traceback shows code, never values: payloads stay out of logs.
            log.error("unforeseen %s", type(error).__name__, exc_info=error)
            return Problem(
                "Something went wrong on our side; it is logged under this request id.",
                code="internal_error",
                status=500,
            )


def body(problem: Problem) -> dict[str, Any]:
    """The error in OpenAI's shape, which our own addresses use too."""
    kind = _TYPES.get(problem.status, "invalid_request_error" if problem.status < 500 else "server_error")
    error: dict[str, Any] = {"message": problem.message, "type": kind, "code": problem.code, "param": problem.param}
    return {"error": {**error, **problem.details}}


def headers(problem: Problem) -> dict[str, str]:
    """When to come back, or that there is no use in it, whatever a client's rule for the status is."""
    if problem.retry_after_s is not None:
        return {"Retry-After": str(max(1, math.ceil(problem.retry_after_s))), "x-should-retry": "true"}
    return {"x-should-retry": "false"} if problem.status < 500 else {}


def answer(problem: Problem, content: Mapping[str, Any]) -> HttpResponse:
    """The HTTP answer."""
    return json_answer(content, problem.status, headers(problem))


def handle(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """DRF's EXCEPTION_HANDLER: the view's `problem_body` gives the shape of its protocol."""
    problem = as_problem(error)
    shape = getattr(context.get("view"), "problem_body", body)
    response = answer(problem, shape(problem))
    if problem.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="mercato"'
    return response
