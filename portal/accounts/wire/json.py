"""JSON in and out, bounded in size and depth."""

from __future__ import annotations

from typing import Any

import orjson
from django.conf import settings

from portal.accounts.wire.text import check_json
from portal.kit.errors import Problem


class JsonInvalid(Problem):
    """The body is not JSON, or is nested too deeply."""

    status = 400
    code = "invalid_json"


class BodyTooLarge(Problem):
    """The body is larger than settings.DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status = 413
    code = "body_too_large"


def loads(body: bytes) -> Any:
    """The value in a body. Raises JsonInvalid, TextInvalid; their messages never repeat the body."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise JsonInvalid(f"The body is not valid JSON ({where}): check quotes, commas and brackets.") from error
    # Only a body with that many brackets can be that deep.
    if body.count(b"[") + body.count(b"{") > settings.API_MAX_DEPTH and _too_deep(value, settings.API_MAX_DEPTH):
        raise JsonInvalid(f"The body is nested more than {settings.API_MAX_DEPTH} levels deep.")
    check_json(body, value)
    return value


def _too_deep(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below.extend(inner for inner in one.values() if isinstance(inner, (list, dict)))
            elif isinstance(one, list):
                below.extend(inner for inner in one if isinstance(inner, (list, dict)))
        if not below:
            return False
        level = below
    return True
