"""Problems that a page meets, as a page."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import redis
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.defaults import server_error

from portal.accounts.wire.text import TextInvalid, check_address, check_form
from portal.kit.errors import Problem

_DOWN = (OperationalError, InterfaceError, redis.ConnectionError, redis.TimeoutError)


class ProblemPages:
    """Middleware: a Problem becomes an error page with its status; everything else is Django's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """The page of a text that no store could keep. Views of the interface answer in the shape of their protocol."""
        if getattr(view, "csrf_exempt", False):
            return None
        try:
            check_address(request, kwargs)
            check_form(request)
        except TextInvalid as problem:
            return self.process_exception(request, problem)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The page of a Problem."""
        if not isinstance(error, Problem):
            return None
        return render(request, "problem.html", {"problem": error}, status=error.status)


def failure(request: HttpRequest) -> HttpResponse:
    """The page of what nobody caught: 503 while a store is down, else 500. It needs no store itself."""
    if not isinstance(sys.exc_info()[1], _DOWN):
        return server_error(request)
    return HttpResponse(render_to_string("503.html"), status=503, headers={"Retry-After": "5"})
