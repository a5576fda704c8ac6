"""Other forms than JSON for a body and an answer: XML, and multipart for images and files.

JSON's way does not come here: the headers are looked at once.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import ParseError
from rest_framework_xml.parsers import XMLParser
from rest_framework_xml.renderers import XMLRenderer

from inference.api.view import FieldInvalid
from portal.accounts.wire.json import JsonInvalid, loads
from portal.kit.errors import Problem

KINDS = "application/json, application/xml, text/event-stream"
_XML = ("application/xml", "text/xml")


class NotAcceptable(Problem):
    """No form of the answer that the caller accepts."""

    status = 406
    code = "not_acceptable"


class XmlInvalid(JsonInvalid):
    """The body is not XML, or more than it should be."""

    code = "invalid_xml"


@lru_cache(maxsize=256)
def wants_xml(accept: str) -> bool:
    """Whether the answer shall be XML. Raises NotAcceptable where neither it nor JSON will do."""
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",") if part.strip()]
    if not kinds or any(kind in ("*/*", "application/*", "application/json", "text/event-stream") for kind in kinds):
        return bool(kinds) and kinds[0] in _XML
    if any(kind in _XML for kind in kinds):
        return True
    raise NotAcceptable(f"Answers come as {KINDS}.")


def is_other(content_type: str) -> bool:
    """Whether a body of this type is read here."""
    return content_type.lower().startswith((*_XML, "multipart/form-data"))


def read(request: HttpRequest, schema: Callable[[], Mapping[str, Any]]) -> Any:
    """{"input": {…}} of an XML or multipart body. `schema` gives the input's JSON Schema. Raises Problems (400, 422)."""
    if request.META.get("CONTENT_TYPE", "").lower().startswith(_XML):
        return _shaped(_xml(request.body), schema())
    return {"input": _form(request, schema())}


def xml(content: Any) -> bytes:
    """The answer as XML."""
    renderer = XMLRenderer()
    renderer.root_tag_name = "prediction"
    written: str = renderer.render(content)
    return written.encode()


def _xml(body: bytes) -> Any:
    # Every level takes a tag: more of them than levels are allowed can only be deep if they are nested.
    try:
        found = XMLParser().parse(io.BytesIO(body), parser_context={"encoding": "utf-8"})
    except (ParseError, RecursionError, ValueError) as error:
        raise XmlInvalid(
            "The body is not XML as we take it: well-formed, without a DTD or entities, not deep."
        ) from error
    if not isinstance(found, dict):
        raise XmlInvalid("The root element holds <input> with the model's fields.")
    return found


def _shaped(found: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """XML knows no types: fields that the schema wants as text are text again."""
    given = found.get("input")
    if isinstance(given, dict):
        for name, value in given.items():
            wanted = _first_type(schema.get("properties", {}).get(name, {}))
            if wanted == "string" and not isinstance(value, str):
                given[name] = str(value)
            elif wanted == "array" and not isinstance(value, list):
                given[name] = [] if value is None else [value]
    return found


def _form(request: HttpRequest, schema: Mapping[str, Any]) -> dict[str, Any]:
    fields, files = request.POST, request.FILES  # one that cannot be read is 400, see wire.problems
    given: dict[str, Any] = {}
    if "input" in fields:
        said = loads(str(fields["input"]).encode())
        if not isinstance(said, dict):
            raise FieldInvalid("The part input is a JSON object.", param="/input")
        given |= said
    for name, value in fields.items():
        if name != "input":
            given[name] = _typed(str(value), schema.get("properties", {}).get(name, {}), name)
    for name, file in files.items():
        if isinstance(file, list):
            continue
        if (file.size or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise FieldInvalid("The file is too large.", param=f"/input/{name}")
        given[name] = base64.b64encode(file.read()).decode()
    return given


def _typed(text: str, schema: Mapping[str, Any], name: str) -> Any:
    """A form's text as the type that the schema wants."""
    wanted = _first_type(schema)
    if wanted in (None, "string"):
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FieldInvalid(f"This must be of type {wanted}, written as in JSON.", param=f"/input/{name}") from error


def _first_type(schema: Mapping[str, Any]) -> Any:
    """The type that a schema names, the first where it names several."""
    kind = schema.get("type")
    return kind[0] if isinstance(kind, list) else kind
