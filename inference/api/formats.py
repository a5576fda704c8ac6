"""Other forms than JSON for a body and an answer: XML, and multipart for images and files.

JSON's way does not come here: the headers are looked at once.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest
from rest_framework_xml.compat import etree
from rest_framework_xml.parsers import XMLParser
from rest_framework_xml.renderers import XMLRenderer

from inference.api.view import FieldInvalid
from portal.accounts.wire.json import JsonInvalid, loads
from portal.accounts.wire.text import check_form
from portal.kit.errors import Problem

KINDS = "application/json, application/xml, text/event-stream, application/octet-stream"
_XML = ("application/xml", "text/xml")
_OURS = {
    "*/*", "application/*", "text/*", "application/json", "text/event-stream", "application/octet-stream",
    "application/binary",
}  # fmt: skip
_NAME = re.compile(r"[A-Za-z_][\w.-]*")
_PLAIN = re.compile(r"true|false|-?(0|[1-9]\d{0,17})(\.\d{1,30})?([eE][+-]?\d{1,2})?")
_NO_CHARACTER = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)  # https://www.w3.org/TR/xml/#charsets


class NotAcceptable(Problem):
    """No form of the answer that the caller accepts."""

    status = 406
    code = "not_acceptable"


class XmlInvalid(JsonInvalid):
    """The body is not XML, or more than it should be."""

    code = "invalid_xml"


@lru_cache(maxsize=256)
def wants_xml(accept: str) -> bool:
    """Whether JSON answers shall be XML: it is the kind of ours that is liked best. Raises NotAcceptable for none of ours."""
    kinds = []
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        liked = next((_liked(one[2:]) for one in parameters if one.startswith("q=")), 1.0)
        if kind and liked:
            kinds.append((-liked, kind))
    for _, kind in sorted(kinds, key=lambda one: one[0]):
        if kind in _XML:
            return True
        if kind in _OURS:
            return False
    if not kinds:
        return False
    raise NotAcceptable(f"Answers come as {KINDS}: name one of them in Accept.")


def is_other(content_type: str) -> bool:
    """Whether a body of this type is read here."""
    return content_type.lower().startswith((*_XML, "multipart/form-data"))


def read(request: HttpRequest, schema: Callable[[], Mapping[str, Any]]) -> Any:
    """{"input": {…}} of an XML or multipart body. `schema` gives the input's JSON Schema. Raises Problems (400, 422)."""
    if request.META.get("CONTENT_TYPE", "").lower().startswith(_XML):
        return _bounded(_shaped(_xml(request.body), schema()))
    return {"input": _form(request, schema())}


def xml_of(content: bytes) -> bytes:
    """An answer of JSON as XML: its `object` names the root, other texts than names become <entry key="…">."""
    told = orjson.loads(content)
    renderer = _Renderer()
    kind = told.get("object") if isinstance(told, dict) else None
    if isinstance(kind, str) and _NAME.fullmatch(kind):
        renderer.root_tag_name = kind
    written: str = renderer.render(told)
    return written.encode()


class _Renderer(XMLRenderer):  # type: ignore[misc] # it has no types
    """The library's, for keys and texts that XML cannot say."""

    root_tag_name = "answer"

    def _to_xml(self, xml: Any, data: Any) -> None:
        if isinstance(data, dict):
            for key, value in data.items():
                tag, attributes = (
                    (key, {}) if _NAME.fullmatch(key) else ("entry", {"key": _NO_CHARACTER.sub("\ufffd", key)})
                )
                xml.startElement(tag, attributes)
                self._to_xml(xml, value)
                xml.endElement(tag)
        elif isinstance(data, bool):
            xml.characters("true" if data else "false")
        elif isinstance(data, str):
            xml.characters(_NO_CHARACTER.sub("\ufffd", data))
        else:
            super()._to_xml(xml, data)


def _liked(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


def _xml(body: bytes) -> Any:
    """Its texts. Raises XmlInvalid."""
    try:
        found = _Parser()._xml_convert(etree.fromstring(body, forbid_dtd=True))
    except (etree.ParseError, RecursionError, ValueError) as error:
        raise _refused() from error
    if not isinstance(found, dict):
        raise XmlInvalid("The root element holds <input> with the model's fields.")
    return found


class _Parser(XMLParser):  # type: ignore[misc] # it has no types
    """The library's, but 007 and times stay as they were written."""

    def _type_convert(self, value: str | None) -> str | None:
        return value


def _refused() -> XmlInvalid:
    return XmlInvalid("The body is not XML as we take it: well-formed, without a DTD or entities, not deep.")


def _shaped(found: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """XML knows no types: what the schema does not want as text is numbers, truths and lists again."""
    given = found.get("input")
    if isinstance(given, dict):
        for name, value in given.items():
            wanted = _first_type(schema.get("properties", {}).get(name, {}))
            if wanted == "array" and not isinstance(value, list):
                given[name] = [] if value is None else [_told(value)]
            elif wanted != "string":
                given[name] = _told(value)
            elif value is None:
                given[name] = ""
    return found


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _told(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_told(one) for one in value]
    if isinstance(value, str) and _PLAIN.fullmatch(value.strip()):
        return orjson.loads(value.strip())
    return value


def _bounded(found: Any) -> Any:
    """The values, as deep as JSON may be. Raises XmlInvalid, JsonInvalid."""
    try:
        return loads(orjson.dumps(found))
    except orjson.JSONEncodeError as error:
        raise _refused() from error


def _form(request: HttpRequest, schema: Mapping[str, Any]) -> dict[str, Any]:
    check_form(request)  # one that cannot be read is 400, see wire.problems
    fields, files = request.POST, request.FILES
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
        given[name] = base64.b64encode(b"".join(file.chunks())).decode()
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
