"""What a new version changes for its callers, by its schemas, and the number that says so (semver.org).

Callers are broken by an input that is no longer taken, and by an output that they did not expect: then the first part
of the number grows. Whoever may now give or get more without having to sees the second grow, all others the third.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.tasks.task import ModelSpec, Task

FIRST = "1.0.0"
_LOWER = ("minimum", "minLength", "minItems", "minProperties", "exclusiveMinimum")  # bounds that narrow by rising
_UPPER = ("maximum", "maxLength", "maxItems", "maxProperties", "exclusiveMaximum")
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `path` is a JSON pointer into the input or output; `was` and `now` are what its keyword said."""

    side: str  # input or output
    path: str
    keyword: str  # of JSON Schema: type, enum, required, properties, maximum, …
    was: Any
    now: Any
    breaking: bool


def changes(task: Task, old: ModelSpec, new: ModelSpec) -> list[Change]:
    """All differences between the schemas of two versions, those that break callers first."""
    found = []
    for side, schema in (("input", task.codec.input_schema), ("output", task.codec.output_schema)):
        before, after = schema(old), schema(new)
        less = [Change(side, *one, breaking=True) for one in _refused(before, after)]
        more = [Change(side, path, keyword, was, now, False) for path, keyword, now, was in _refused(after, before)]
        if side == "output":  # whoever reads is broken by more, but for a further field; and by a field that is gone
            less, more = (
                [_with(one, True) for one in more if one.keyword != "properties"]
                + [one for one in less if one.keyword == "properties"],
                [_with(one, False) for one in less if one.keyword != "properties"]
                + [one for one in more if one.keyword == "properties"],
            )
        found += less + more
    unique = {(one.side, one.path, one.keyword, one.breaking): one for one in found}
    return sorted(unique.values(), key=lambda one: (not one.breaking, one.side, one.path))


def following(number: str, found: list[Change]) -> str:
    """The number after this one, of a version with these changes."""
    major, minor, patch = map(int, number.split("."))
    if any(one.breaking for one in found):
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if found else f"{major}.{minor}.{patch + 1}"


def _with(one: Change, breaking: bool) -> Change:
    return Change(one.side, one.path, one.keyword, one.was, one.now, breaking)


def _refused(before: Schema, after: Schema, path: str = "") -> Iterator[tuple[str, str, Any, Any]]:
    """Where `after` refuses what `before` takes: path, keyword, and what each says of it."""
    types = _types(before) - _types(after)
    if _types(after) and (types or not _types(before)):
        yield path, "type", before.get("type"), after.get("type")
    kept = "enum" in before and set(map(str, before["enum"])) <= set(map(str, after.get("enum", ())))
    if "enum" in after and not kept:
        yield path, "enum", before.get("enum"), after["enum"]
    for names, sign in ((_LOWER, 1), (_UPPER, -1)):
        for name in names:
            if name in after and (name not in before or sign * after[name] > sign * before[name]):
                yield path, name, before.get(name), after[name]
    needed = sorted(set(after.get("required", ())) - set(before.get("required", ())))
    if needed:
        yield path, "required", None, needed
    fields = after.get("properties", {})
    for name, field in before.get("properties", {}).items():
        if name in fields:
            yield from _refused(field, fields[name], f"{path}/{name}")
        elif after.get("additionalProperties") is False:
            yield f"{path}/{name}", "properties", name, None
    if isinstance(before.get("items"), Mapping) and isinstance(after.get("items"), Mapping):
        yield from _refused(before["items"], after["items"], f"{path}/-")
    for name in ("oneOf", "anyOf"):
        ways, kept = before.get(name, []), after.get(name, [])
        if len(ways) == len(kept):
            for way, other in zip(ways, kept, strict=True):
                yield from _refused(way, other, path)
        elif len(kept) < len(ways):
            yield path, name, len(ways), len(kept)


def _types(schema: Schema) -> set[str]:
    found = schema.get("type", ())
    return {found} if isinstance(found, str) else set(found)
