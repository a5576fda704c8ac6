"""The base of every API view: who calls, bounded JSON in, JSON out, a request id and the cost on every answer."""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.views import APIView

from portal.accounts.keys.authentication import KeyInvalid
from portal.accounts.keys.lookup import Caller
from portal.accounts.keys.scopes import require_scope
from portal.accounts.wire import problems
from portal.accounts.wire.json import BodyTooLarge, loads
from portal.accounts.wire.text import check_address
from portal.kit import ids
from portal.kit.errors import Problem


class Guard(Protocol):
    """What stands before and after every view: limits and answers that are kept. It lives in a room above."""

    def before(self, view: KeyedView, request: HttpRequest) -> HttpResponseBase | None:
        """The answer, where it is there already. Raises Problems."""

    def after(self, view: KeyedView, request: HttpRequest, response: Any) -> HttpResponseBase:
        """The answer as it leaves. Raises nothing."""


@cache
def _guard() -> Guard:
    found: Guard = import_string(settings.API_GUARD)()
    return found


@cache
def _authenticators() -> tuple[BaseAuthentication, ...]:
    return tuple(kind() for kind in KeyedView.authentication_classes)


class _Answered(Exception):
    """The answer is there already."""

    def __init__(self, answer: HttpResponseBase) -> None:
        super().__init__()
        self.answer = answer


class KeyedView(APIView):
    """A view that only a holder of a key may use. `self.caller` and `self.request_id` are set before the handler runs."""

    most_bytes: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE  # of a body
    scope = (
        "inference"  # what the key must be allowed to do: a name in portal.accounts.keys.scopes, or any for all keys
    )
    counted = False  # among the key's requests a minute
    caller: Caller
    request_id: str = ""
    # The guard's own; see inference.api.guard.
    allowance: Any = None
    repeat: Any = None
    ran: Any = None

    def problem_body(self, problem: Problem) -> dict[str, Any]:
        """The error's JSON in this view's protocol."""
        return problems.body(problem)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if request._request.method == "OPTIONS":
            return
        meta = request._request.META  # DRF's own request passes every look-up on, which costs
        if int(meta.get("CONTENT_LENGTH") or "0") > self.most_bytes:
            raise BodyTooLarge(f"The body is larger than {self.most_bytes // 1024**2} MB.")
        self.caller = self._caller(request)
        check_address(request._request, kwargs)
        answer = _guard().before(self, request._request)
        if answer is not None:
            raise _Answered(answer)

    def _caller(self, request: Request) -> Caller:
        for authenticator in request.authenticators or ():
            found = authenticator.authenticate(request._request)  # type: ignore[arg-type] # ours read META only
            if found is not None and isinstance(found[1], Caller):
                if self.scope != "any":
                    require_scope(found[1].scopes, self.scope)
                return found[1]
        raise KeyInvalid("Send an API key as 'Authorization: Bearer mk_…'; create one on /keys.")

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """What a browser asks before it calls from another origin; the token itself is checked with the call."""
        response = HttpResponse(status=204)
        response["Access-Control-Allow-Origin"] = request._request.META.get("HTTP_ORIGIN", "*")
        response["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
        response["Access-Control-Allow-Headers"] = request._request.META.get(
            "HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "authorization, content-type"
        )
        response["Access-Control-Max-Age"] = "600"
        return response

    def body(self, request: Request) -> Any:
        """The JSON of the body. Raises JsonInvalid, and 415 for another content type.

        Read directly: DRF's request.data chooses among parsers, which costs a tenth of a prediction.
        """
        kind = request._request.META.get("CONTENT_TYPE", "")
        if not kind.lower().startswith("application/json"):
            raise UnsupportedMediaType(kind)
        return loads(request._request.body)

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """DRF's way without what is not used here: versions, throttles, negotiation (the guard looks at Accept)."""
        self.args, self.kwargs = args, kwargs
        self.request_id = ids.make("req")
        self.request = asked = Request(request, authenticators=_authenticators())
        try:
            self.initial(asked, *args, **kwargs)
            method = request.method.lower()
            handler = getattr(self, method, None) if method in self.http_method_names else None
            response = (handler or self.http_method_not_allowed)(asked, *args, **kwargs)
        except Exception as error:
            response = self.handle_exception(error)
        self.response = self.finalize_response(asked, response, *args, **kwargs)
        return self.response

    def handle_exception(self, exc: Exception) -> Any:
        return exc.answer if isinstance(exc, _Answered) else super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if response.status_code == 405:
            response.headers["Allow"] = ", ".join(self.allowed_methods)
        response.headers.setdefault("x-request-id", self.request_id)
        if response.headers.get("Content-Type") != "text/event-stream":  # a stream's cost is known at its end
            response.headers.setdefault("x-mercato-cost", "0.00")
        return _guard().after(self, request._request, response)


class Nowhere(KeyedView):
    """Answers 404 where there is nothing, to everybody, in the interface's shape."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Http404
