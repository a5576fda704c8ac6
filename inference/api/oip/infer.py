"""/v2: the Open Inference Protocol's addresses. Its errors are {"error": text}."""

from __future__ import annotations

import zlib
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from inference.api.oip import wire
from inference.api.view import FieldInvalid, PredictionView
from inference.api.wishes import wishes_of
from marketplace.catalog.resolve import resolve
from portal.accounts.wire.answers import Answer, json_answer
from portal.accounts.wire.json import BodyTooLarge, JsonInvalid, loads
from portal.kit.errors import Problem

_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class OipView(PredictionView):
    """A view whose errors have the protocol's shape; code, param and details go beside it."""

    def problem_body(self, problem: Problem) -> dict[str, Any]:
        return {"error": problem.message, "code": problem.code, "param": problem.param, **problem.details}


class Infer(OipView):
    """What the model gives for tensors, as JSON or as bytes."""

    def post(self, request: Request, publisher: str, name: str, version: str = "") -> HttpResponse:
        slug = f"{publisher}/{name}" + (f"@{version}" if version else "")
        body, blob = self.parts(request)
        outcome = self.run(wire.call_of(body, slug, self.caller, self.request_id, blob))
        content, header = wire.response(outcome, body)
        if header is None:
            return Answer(content)
        return Answer(
            content,
            content_type="application/octet-stream",
            headers={"Inference-Header-Content-Length": str(header)},
        )

    def parts(self, request: Request) -> tuple[Any, memoryview]:
        """The body's JSON, and the bytes after it. The protocol's clients send any Content-Type."""
        raw = request._request.body
        encoding = request._request.META.get("HTTP_CONTENT_ENCODING", "")
        if encoding and encoding != "identity":
            raw = _unpacked(raw, encoding)
        header = request._request.META.get("HTTP_INFERENCE_HEADER_CONTENT_LENGTH")
        length = len(raw)
        if header is not None:
            if not header.isdecimal() or int(header) > length:
                raise FieldInvalid("Inference-Header-Content-Length goes beyond the body.", param="")
            length = int(header)
        body = loads(raw[:length] if length < len(raw) else raw)
        self.wishes = self.known(wishes_of(request._request.META, body))
        return body, memoryview(raw)[length:]


class Metadata(OipView):
    """What the model takes and gives."""

    def get(self, request: Request, publisher: str, name: str, version: str = "") -> HttpResponse:
        slug = f"{publisher}/{name}" + (f"@{version}" if version else "")
        return json_answer(wire.metadata(resolve(slug, self.caller.workspace_id)))


class Ready(OipView):
    """Whether the model can be called."""

    def get(self, request: Request, publisher: str, name: str, version: str = "") -> HttpResponse:
        slug = f"{publisher}/{name}" + (f"@{version}" if version else "")
        return json_answer({"name": resolve(slug, self.caller.workspace_id).slug, "ready": True})


class OpenView(OipView):
    """A view that tells everybody the same: it asks for no key."""

    counted = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Lets everybody in."""


class Server(OpenView):
    """The server and its extensions."""

    def get(self, request: Request) -> HttpResponse:
        return json_answer({"name": "mercato", "version": settings.VERSION, "extensions": ["binary_tensor_data"]})


class Live(OpenView):
    """Whether the server is up."""

    def get(self, request: Request) -> HttpResponse:
        return json_answer({"live": True})


class ServerReady(OpenView):
    """Whether the server can be called."""

    def get(self, request: Request) -> HttpResponse:
        return json_answer({"ready": True})


def _unpacked(raw: bytes, encoding: str) -> bytes:
    """The body before it was compressed. Raises BodyTooLarge for one that grows beyond what a body may have."""
    if encoding not in _WINDOWS:
        raise JsonInvalid(f"Content-Encoding is gzip or deflate, not {encoding[:40]}.", status=415)
    unpacker = zlib.decompressobj(_WINDOWS[encoding])
    try:
        found = unpacker.decompress(raw, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    except zlib.error as error:
        raise JsonInvalid(f"The body is not {encoding}.") from error
    if unpacker.unconsumed_tail:
        raise BodyTooLarge(f"The unpacked body is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024**2} MB.")
    return found
