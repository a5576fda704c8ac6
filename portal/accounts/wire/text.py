"""Text that every store can keep. PostgreSQL has no NUL in a text, so none comes in: not by address, form or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from portal.kit.errors import Problem

NUL = "\0"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class TextInvalid(Problem):
    """A text with a NUL; `param` names it."""

    status = 400
    code = "text_invalid"

    def __init__(self, param: str) -> None:
        super().__init__(
            _("A text has the character U+0000, which no text may have: leave it out."),
            param=param.replace(NUL, "\\0")[:200],
        )


def check_address(request: HttpRequest, pieces: Mapping[str, Any]) -> None:
    """`pieces`: what the path names. Raises TextInvalid."""
    if "%00" in request.META.get("QUERY_STRING", ""):
        _check_fields(request.GET.lists())
    _check_fields((name, [value]) for name, value in pieces.items())


def check_form(request: HttpRequest) -> None:
    """Reads the form, if the body is one. Raises TextInvalid."""
    if request.content_type in FORMS:
        _check_fields(request.POST.lists())
        _check_fields((name, [file.name or "" for file in files]) for name, files in request.FILES.lists())


def check_json(body: bytes, value: Any) -> None:
    """`value`: what the body says. Raises TextInvalid; `param` is the JSON pointer of the text."""
    # No other writing of a NUL is JSON; a backslash and these letters may also be meant as they are.
    if rb"\u0000" in body and (found := _pointer(value)) is not None:
        raise TextInvalid(found)


def _check_fields(fields: Iterable[tuple[str, list[Any]]]) -> None:
    for name, values in fields:
        if NUL in name or any(NUL in value for value in values if isinstance(value, str)):
            raise TextInvalid(name)


def _pointer(value: Any) -> str | None:
    """Where the first NUL is. As deep as JSON may be."""
    if isinstance(value, str):
        return "" if NUL in value else None
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in inside:
        below = "" if NUL in str(name) else _pointer(inner)
        if below is not None:
            return f"/{str(name).replace('~', '~0').replace('/', '~1')}{below}"
    return None
