"""Checks input against a task's JSON Schema; what fails is named by a JSON pointer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from marketplace.errors import InputInvalid

_validators: dict[bytes, Draft202012Validator] = {}
_MOST = 10_000  # schemas kept compiled


def check(schema: Mapping[str, Any], value: Any, root: str = "/input") -> None:
    """Raises InputInvalid (422) that says what to change where; `root` is the pointer of `value` in the body."""
    key = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    validator = _validators.get(key)
    if validator is None:
        if len(_validators) >= _MOST:
            _validators.clear()
        validator = _validators[key] = Draft202012Validator(schema)
    error = best_match(validator.iter_errors(value))
    if error is not None:
        raise InputInvalid(_sentence(error), param=root + "".join(f"/{_escape(part)}" for part in error.absolute_path))


def _escape(part: object) -> str:
    """RFC 6901 §3."""
    return str(part).replace("~", "~0").replace("/", "~1")


def _sentence(error: ValidationError) -> str:
    """What to change, without repeating the caller's data."""
    wanted = error.validator_value
    match error.validator:
        case "required":
            missing = [name for name in wanted if name not in error.instance]
            return f"Add the missing field{'s' if len(missing) > 1 else ''} {', '.join(missing[:5])}."
        case "additionalProperties":
            known = error.schema.get("properties", {})
            extra = [name for name in error.instance if name not in known]
            return f"Remove the unknown field {extra[0][:60]!r}; known are {', '.join(sorted(known)[:40])}."
        case "type":
            return f"This must be of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}."
        case "minimum" | "exclusiveMinimum":
            return f"This must be at least {wanted}."
        case "maximum" | "exclusiveMaximum":
            return f"This must be at most {wanted}."
        case "maxLength" | "maxItems":
            return f"This is too long: at most {wanted} are allowed."
        case "minLength" | "minItems" | "minProperties":
            return f"This is too short: at least {wanted} needed."
        case "enum":
            return f"This must be one of {', '.join(map(str, wanted))}."
        case "oneOf" | "anyOf":
            return "This fits none of the allowed forms; see the model's API tab for examples."
        case _:
            return f"This does not fit the schema's {error.validator}."
