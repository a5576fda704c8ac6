"""Checks input against a task's JSON Schema; what fails is named by a JSON pointer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from marketplace.errors import InputInvalid


class Check:
    """A schema, compiled."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._validator = jsonschema_rs.validator_for(dict(schema))

    def __call__(self, value: Any, root: str = "/input", names: Mapping[str, str] | None = None) -> None:
        """Raises InputInvalid (422) that says what to change where; `root` is the pointer of `value` in the body.

        `names`: what the caller calls fields of `value` that are named otherwise in the body.
        """
        if self._validator.is_valid(value):
            return
        error = next(self._validator.iter_errors(value))
        path = [_escape(part) for part in error.instance_path]
        path[:1] = [(names or {}).get(part, part) for part in path[:1]]
        raise InputInvalid(self._sentence(error), param=root + "".join(f"/{part}" for part in path))

    def _sentence(self, error: jsonschema_rs.ValidationError) -> str:
        """What to change, without repeating the caller's data."""
        around: Any = self._schema
        for part in error.schema_path[:-1]:
            around = around[part]
        keyword = str(error.schema_path[-1])
        instance: Any = error.instance
        wanted: Any = around[keyword] if isinstance(around, Mapping) and keyword in around else None
        match keyword:
            case "required":
                missing = [name for name in wanted if name not in instance]
                return f"Add the missing field{'s' if len(missing) > 1 else ''} {', '.join(missing[:5])}."
            case "additionalProperties":
                known = around.get("properties", {})
                extra = [name for name in instance if name not in known]
                return f"Remove the unknown field {extra[0][:60]!r}; known are {', '.join(sorted(known)[:40])}."
            case "type":
                types = wanted if isinstance(wanted, str) else " or ".join(wanted)
                return f"This must be of type {types}, not {_type(instance)}."
            case "minimum":
                return f"This must be at least {wanted}."
            case "maximum":
                return f"This must be at most {wanted}."
            case "maxProperties" | "minProperties":
                few = "at most" if keyword == "maxProperties" else "at least"
                return f"Give {few} {wanted} of the fields {', '.join(list(around.get('properties', {}))[:40])}."
            case "maxItems" | "maxLength":
                return f"This is too long: at most {wanted} {'items' if keyword == 'maxItems' else 'characters'}."
            case "minItems" | "minLength":
                return f"This is too short: at least {wanted} {'items' if keyword == 'minItems' else 'characters'}."
            case "enum":
                return f"This must be one of {', '.join(map(str, wanted))}."
            case _:
                return f"This does not fit the schema's {keyword}."


def _type(value: object) -> str:
    """The name that JSON Schema has for the type of `value`."""
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _escape(part: object) -> str:
    """RFC 6901 §3."""
    return str(part).replace("~", "~0").replace("/", "~1")
