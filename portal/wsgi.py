"""The WSGI application: one process, two ways through it.

Pages pass settings.MIDDLEWARE (sessions, languages, messages, …). The programming interface uses none of that, so its
requests go to their views directly; a probe or a prediction pays for nothing it does not use.
"""

from __future__ import annotations

import os
import sys

import django
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import set_urlconf

DIRECT = ("/v1/", "/v2", "/healthz")


class Handler(WSGIHandler):
    """Django's handler, with the short way beside the long one."""

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async)
        self._direct = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined] # Django's own name for it

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(DIRECT):
            return super().get_response(request)
        set_urlconf(None)
        response: HttpResponseBase = self._direct(request)  # type: ignore[assignment] # this one is not async
        if not response.streaming:
            response.headers.setdefault("Content-Length", str(len(response.content)))  # type: ignore[attr-defined] # whole
        response._resource_closers.append(request.close)  # type: ignore[attr-defined] # as Django's get_response does
        return response


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup(set_prefix=False)
application = Handler()


def serving() -> Handler:
    """The application in a process that serves: its live local models are loaded before the first visitor asks."""
    from inference.routing import warmup  # Django must be set up first

    warmup.start()
    # A thread that has its answer waits this long at most for one that computes; five times less than Python's default.
    sys.setswitchinterval(0.001)
    return application
