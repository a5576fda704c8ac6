"""The base of every API view: who calls, bounded JSON in, JSON out, a request id and the cost on every answer."""

from __future__ import annotations

from typing import Any

import orjson
from django.conf import settings
from django.http import HttpResponse
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.views import APIView

from portal.accounts.keys.authentication import KeyInvalid
from portal.accounts.keys.lookup import Caller
from portal.accounts.keys.scopes import require_scope
from portal.accounts.wire import problems
from portal.accounts.wire.json import BodyTooLarge, JSONParser, JSONRenderer, loads
from portal.kit import ids
from portal.kit.errors import Problem


class KeyedView(APIView):
    """A view that only a holder of a key may use. `self.caller` and `self.request_id` are set before the handler runs."""

    parser_classes = (JSONParser,)
    renderer_classes = (JSONRenderer,)
    most_bytes: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE  # of a body
    scope = "inference"  # what the key must be allowed to do: a name in portal.accounts.keys.scopes
    caller: Caller
    request_id: str = ""

    def problem_body(self, problem: Problem) -> dict[str, Any]:
        """The error's JSON in this view's protocol."""
        return problems.body(problem)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if request._request.method == "OPTIONS":
            return
        meta = request._request.META  # DRF's own request passes every look-up on, which costs
        if int(meta.get("CONTENT_LENGTH") or "0") > self.most_bytes:
            raise BodyTooLarge(f"The body is larger than {self.most_bytes // 1024**2} MB.")
        for authenticator in request.authenticators or ():
            found = authenticator.authenticate(request._request)  # type: ignore[arg-type] # ours read META only
            if found is not None and isinstance(found[1], Caller):
                self.caller = found[1]
                require_scope(self.caller.scopes, self.scope)
                return
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

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[Any, str]:
        # JSON is what we speak; a view that streams looks at Accept itself.
        return JSONRenderer(), "application/json"

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        self.request_id = ids.make("req")
        return super().initialize_request(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("x-request-id", self.request_id)
        if not response.streaming:  # a stream's cost is known at its end
            response.setdefault("x-mercato-cost", "0.00")
        return response


def json_answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """An answer of JSON."""
    return HttpResponse(orjson.dumps(content), status=status, content_type="application/json", headers=headers)
