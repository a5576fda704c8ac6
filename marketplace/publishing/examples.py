"""Examples with known answers, as publishers send them: JSONL, or CSV with the columns `input` and `expected`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from marketplace.errors import SubmissionInvalid
from marketplace.tasks.task import ModelSpec, Task
from portal.accounts.wire.text import NUL

MOST_BYTES = 2 << 20
MOST_EXAMPLES = 200
_TEXT_FIELDS = ("text", "prompt", "image")  # what a plain cell of a CSV is taken for, where the task has it


def read(name: str, data: bytes, task: Task) -> list[dict[str, Any]]:
    """{"input", "expected"} each; `expected` is an output of the task, or its answer alone: a label, number, text or list.

    Raises SubmissionInvalid (422) that names the line.
    """
    if len(data) > MOST_BYTES:
        raise _refusal(_("The examples are larger than %(most)s MB.") % {"most": MOST_BYTES >> 20})
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refusal(_("The examples are not UTF-8: save the file with that encoding.")) from error
    if NUL in text or "\\u0000" in text:
        raise _refusal(_("The examples have the character U+0000, which no text may have: leave it out."))
    found = list(_of_csv(text, task) if name.lower().endswith(".csv") else _of_lines(text))
    if not found:
        raise _refusal(_("The file of examples is empty."))
    if len(found) > MOST_EXAMPLES:
        raise _refusal(_("Send at most %(most)s examples.") % {"most": MOST_EXAMPLES})
    return found


def _of_lines(text: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            one = json.loads(line, parse_constant=_no_number)
        except (ValueError, RecursionError):
            one = None
        if not isinstance(one, dict) or not isinstance(one.get("input"), dict) or "expected" not in one:
            raise _refusal(_('Line %(line)s of the examples: write {"input": {…}, "expected": …}.') % {"line": number})
        yield {"input": one["input"], "expected": one["expected"]}


def _of_csv(text: str, task: Task) -> Iterator[dict[str, Any]]:
    fields = task.codec.input_schema(ModelSpec()).get("properties", {})
    plain = next((name for name in _TEXT_FIELDS if name in fields), None)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise _refusal(_("The examples are no CSV that can be read.")) from error
    for number, row in enumerate(rows, 2):
        given, expected = row.get("input"), row.get("expected")
        if given is None or expected is None:
            raise _refusal(_("The examples need the columns “input” and “expected”."))
        value = _value(given)
        if not isinstance(value, dict):
            if plain is None:
                raise _refusal(_("Line %(line)s of the examples: write the input as a JSON object.") % {"line": number})
            value = {plain: given}
        yield {"input": value, "expected": _value(expected)}


def _value(cell: str) -> Any:
    """What the cell says as JSON; the text itself where it is none."""
    try:
        return json.loads(cell, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return cell


def _no_number(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are no JSON, and no store keeps them


def _refusal(message: str) -> SubmissionInvalid:
    return SubmissionInvalid(message, param="golden")
