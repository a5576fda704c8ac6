"""Form bodies as Stripe's clients send them: a[b][0]=c. Unknown parameters are refused, as Stripe does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from billing.sandbox.errors import StripeError

Params = dict[str, Any]
_KEY = re.compile(r"\[([^\]]*)\]")


def decode(text: str) -> Params:
    """The nested parameters of a form body or query."""
    found: Params = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        head, _, rest = key.partition("[")
        path = [head, *_KEY.findall("[" + rest)] if rest else [head]
        place = found
        for part in path[:-1]:
            part = part or str(len(place))
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise StripeError(f"Invalid parameter: {key}", "parameter_invalid", key)
        place[path[-1] or str(len(place))] = value
    listed = _lists(found)
    assert isinstance(listed, dict)
    return listed


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _lists(one) for key, one in value.items()}
    if inner and all(key.isdecimal() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def accept(given: Params, known: Iterable[str], required: Iterable[str] = ()) -> None:
    """Raises StripeError for a parameter that is unknown or missing. `a.b` names a parameter inside another."""
    allowed = {*known, *required, "expand"}
    for key, value in given.items():
        if key not in allowed and not any(name.startswith(f"{key}.") for name in allowed):
            raise StripeError(f"Received unknown parameter: {key}", "parameter_unknown", key)
        inner = {name.partition(".")[2] for name in allowed if name.startswith(f"{key}.")}
        if key not in allowed and isinstance(value, dict):
            for below in value:
                if below not in inner:
                    name = f"{key}[{below}]"
                    raise StripeError(f"Received unknown parameter: {name}", "parameter_unknown", name)
    for name in required:
        place: Any = given
        for part in name.split("."):
            place = place.get(part) if isinstance(place, dict) else None
        if place in (None, "", [], {}):
            name = name.replace(".", "[") + ("]" if "." in name else "")
            raise StripeError(f"Missing required param: {name}.", "parameter_missing", name)


def whole(given: Params, name: str, default: int | None = None) -> int:
    """A whole number."""
    text = given.get(name, default)
    try:
        return int(text)  # type: ignore[arg-type] # None and words fail alike
    except (TypeError, ValueError):
        raise StripeError(f"Invalid integer: {text}", "parameter_invalid_integer", name) from None


def truth(given: Params, name: str, default: bool = False) -> bool:
    """A boolean."""
    return str(given.get(name, default)).lower() == "true"
