"""Around every view of the interface, by settings.API_GUARD: before it, limits and answers that are there already; after
it, what is left of the limits, the form of the answer, and keeping it.
"""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from inference import limits, settling
from inference.api import formats, repeats
from portal.accounts.keys.lookup import Caller
from portal.accounts.wire.view import KeyedView
from portal.kit.errors import Problem

_EXPOSED = (
    "x-request-id, x-mercato-cost, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
    "x-ratelimit-reset-requests, retry-after, x-should-retry, deprecation, sunset, link"
)


class Guard:
    """Keeps what it knows of a request on the view: `allowance`, `repeat`."""

    def before(self, view: KeyedView, request: HttpRequest) -> HttpResponseBase | None:
        """The answer, where it is there already. Raises RateLimited, NotAcceptable, StoreDown, what look_up raises."""
        caller, meta = view.caller, request.META
        if view.counted:
            view.allowance = limits.take(caller)
            limits.refuse(view.allowance)
        accept = meta.get("HTTP_ACCEPT")
        if accept and accept != "*/*":
            formats.wants_xml(accept)
        if not repeats.wished(request):
            return None
        view.repeat = found = repeats.look_up(caller, request)
        if found.answer is None:
            return None
        if found.replays:
            settling.replayed(found.replays, view.request_id, caller)
        elif found.ran is not None:
            settling.remembered(found.ran, view.request_id, caller, str(meta.get("HTTP_X_OPERATION_ID", "")))
        return found.answer

    def after(self, view: KeyedView, request: HttpRequest, response: Any) -> HttpResponseBase:
        """The answer with its headers, in the form that its caller wants, and kept where that was asked for."""
        headers = response.headers
        caller: Caller | None = getattr(view, "caller", None)
        for name, value in _requests_left(view, caller).headers().items():
            headers[name] = value
        for name, value in _tokens_left(caller).headers("tokens").items():
            headers[name] = value
        if caller is not None and caller.origin:
            headers["Access-Control-Allow-Origin"] = caller.origin
            headers["Access-Control-Expose-Headers"] = _EXPOSED
            headers["Vary"] = "Origin"
        if "xml" in request.META.get("HTTP_ACCEPT", ""):
            response = _in_form(request.META["HTTP_ACCEPT"], response)
        repeat = view.repeat
        if repeat is not None:
            if repeat.cache_s and view.ran is not None and repeat.answer is None:
                response.headers["x-mercato-cache"] = "miss"
            if not response.streaming and not repeat.replays:
                repeat.keep(response, response.content, view.ran)
        return response  # type: ignore[no-any-return]


def _requests_left(view: KeyedView, caller: Caller | None) -> limits.Allowance:
    if caller is None or view.allowance is not None or not caller.rpm:
        return view.allowance or limits.UNLIMITED
    try:
        return limits.left(caller)
    except (Problem, DatabaseError):
        return limits.UNLIMITED  # the answer is there, and the store of limits is not


def _tokens_left(caller: Caller | None) -> limits.Allowance:
    if caller is None or not caller.tpm:
        return limits.UNLIMITED
    try:
        return limits.tokens_left(caller)
    except Problem:
        return limits.UNLIMITED


def _in_form(accept: str, response: Any) -> Any:
    """The answer as XML, where nothing else will do and it is JSON. A refusal of all forms is JSON."""
    try:
        wanted = formats.wants_xml(accept)
    except formats.NotAcceptable:
        return response
    if not wanted or response.streaming or response.headers.get("Content-Type") != "application/json":
        return response
    told: HttpResponse = response
    told.content = formats.xml_of(told.content)
    told.headers["Content-Type"] = "application/xml; charset=utf-8"
    return told
