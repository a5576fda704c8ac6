"""The WSGI application: one process, two ways through it.

Pages pass settings.MIDDLEWARE (sessions, languages, messages, …). The programming interface uses none of that, so its
requests go to their views directly; a probe or a prediction pays for nothing it does not use.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, get_resolver

DIRECT = ("/v1/", "/v2", "/healthz")
TEND_EVERY_S = 1.0
ROUTES_KEPT = 4096  # addresses whose view is remembered: most calls go to few


@lru_cache(maxsize=ROUTES_KEPT)
def _route(path: str) -> ResolverMatch:
    return get_resolver().resolve(path)


def _direct(request: HttpRequest) -> HttpResponseBase:
    """The view's answer; what goes wrong outside of a view is JSON too."""
    try:
        request.resolver_match = match = _route(request.path_info)
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    except Exception as error:
        from portal.accounts.wire import problems  # Django must be set up first

        return problems.handle(error, {})
    return response


_tended = threading.local()


def _tend_connections(status: int) -> None:
    """Closes this thread's database connections that are old or broken: at once after a failure, else now and then."""
    now = time.monotonic()
    if status < 500 and now - getattr(_tended, "at", 0.0) < TEND_EVERY_S:
        return
    _tended.at = now
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()


class Handler(WSGIHandler):
    """Django's handler, with the short way beside the long one."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:  # type: ignore[override] # as WSGI says
        if not environ["PATH_INFO"].startswith(DIRECT):
            return super().__call__(environ, start_response)
        request = WSGIRequest(environ)
        response: Any = _direct(request)
        if response.streaming:
            response._resource_closers.append(request.close)
            body: Iterable[bytes] = response
        else:
            body = [response.content]  # a list goes out in one piece
            response.headers.setdefault("Content-Length", str(len(response.content)))
            request.close()
            _tend_connections(response.status_code)
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return body


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup(set_prefix=False)
application = Handler()


def serving() -> Handler:
    """The application in a process that serves: its live local models are loaded before the first visitor asks."""
    from inference.routing import probing, warmup  # Django must be set up first
    from marketplace.catalog import nearness, shelf

    warmup.start()
    shelf.start()
    nearness.start()
    probing.start()
    # A thread that has its answer waits this long at most for one that computes.
    sys.setswitchinterval(0.002)
    # Requests leave few cycles, and walking all that is loaded takes a third of a second: seldom, and without that.
    gc.set_threshold(10_000, 20, 50)
    gc.freeze()
    return application
