"""Reads a golden set: a CSV or JSONL file, line by line. What is wrong is told with its line and what to change.

JSONL: {"input": …, "expected": …, "slices": {name: value}} on each line. `input` is the task's input, or what its first
field holds. CSV: a column for each field of the input, or `input`; `expected`; and `slice:name` columns.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.utils.translation import gettext as _

from inference.golden.judges.judge import ExampleInvalid, Judge
from inference.golden.judges.registry import JUDGES
from marketplace.errors import InputInvalid
from marketplace.tasks import registry
from marketplace.tasks.schema import Check
from marketplace.tasks.task import ModelSpec
from portal.accounts.wire.text import TextInvalid, check_json
from portal.kit.errors import Problem

FORMS = ("csv", "jsonl")
MOST_TOLD = 20  # mistakes of a file
MOST_SLICES, MOST_VALUES, MOST_NAME = 5, 50, 60
_ABOUT = "slice:"
Json = Any


class GoldenSetInvalid(Problem):
    """A file or examples that are no golden set. `details["errors"]`: line (or place from 1), and what to change."""

    status = 422
    code = "golden_set_invalid"


@dataclass(frozen=True, slots=True)
class Read:
    """An example that can be asked and judged."""

    input: Json
    expected: Json
    slices: Mapping[str, str]


def of_file(task: str, name: str, content: bytes) -> list[Read]:
    """The examples of a file whose name ends in .csv or .jsonl. Raises GoldenSetInvalid with every mistake."""
    form = {"ndjson": "jsonl", "txt": "csv"}.get(ending := name.rpartition(".")[2].lower(), ending)
    if form not in FORMS:
        raise GoldenSetInvalid(_("Upload a CSV or JSONL file: its name ends in .csv or .jsonl."), param="file")
    if len(content) > settings.GOLDEN_MAX_BYTES:
        raise too_large()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _refused([(line, _("This line is not UTF-8: save the file with the encoding UTF-8."))]) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise _refused([(line, _("This line has the character U+0000, which no text may have: leave it out."))])
    return _all(task, _lines(text) if form == "jsonl" else _rows(task, text))


def of_list(task: str, given: Iterable[Json]) -> list[Read]:
    """The same of examples that came as JSON, counted from 1."""
    return _all(task, enumerate(given, 1))


def too_large() -> GoldenSetInvalid:
    """The problem of a file over the limit."""
    most = settings.GOLDEN_MAX_BYTES // 1024**2
    return GoldenSetInvalid(_("The file is larger than %(most)s MB.") % {"most": most}, status=413, param="file")


def _lines(text: str) -> Iterator[tuple[int, Json]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, _parsed(line)
            except orjson.JSONDecodeError as error:
                told = _("This line is no JSON (column %(column)s): check quotes, commas and brackets.")
                yield number, ExampleInvalid(told % {"column": error.colno})
            except ExampleInvalid as error:
                yield number, error


def _rows(task: str, text: str) -> Iterator[tuple[int, Json]]:
    judge = JUDGES[task]
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        head = [name.strip() for name in next(reader, [])]
        _check_head(judge, head)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(head):
                told = _("This line has %(found)s columns, and the first line has %(wanted)s: check commas and quotes.")
                yield reader.line_num, ExampleInvalid(told % {"found": len(cells), "wanted": len(head)})
                continue
            yield reader.line_num, _example(judge, dict(zip(head, cells, strict=True)))
    except csv.Error as error:
        yield reader.line_num, ExampleInvalid(_("This line is no CSV: check its quotation marks.") + f" ({error})")


def _check_head(judge: Judge, head: list[str]) -> None:
    if "expected" not in head:
        raise _refused([(1, _("The first line names the columns: one of them must be “expected”."))])
    if len(set(head)) != len(head) or "" in head:
        raise _refused([(1, _("Each column needs a name of its own."))])
    for name in head:
        if name not in ("input", "expected", *judge.fields) and not name.startswith(_ABOUT) and not judge.open:
            known = ", ".join(("input", *judge.fields, "expected", f"{_ABOUT}…"))
            told = _("There is no use for the column “%(name)s”: the columns are %(known)s.")
            raise _refused([(1, told % {"name": name[:MOST_NAME], "known": known})])


def _example(judge: Judge, cells: Mapping[str, str]) -> Json:
    """A row as a line of JSON has it. Raises nothing: a cell that is no JSON is told of as an ExampleInvalid."""
    slices = {name.removeprefix(_ABOUT): cell for name, cell in cells.items() if name.startswith(_ABOUT) and cell}
    rest = {name: cell for name, cell in cells.items() if name != "expected" and not name.startswith(_ABOUT) and cell}
    try:
        given: Json = {name: _json(name, cell) if name in judge.lists else cell for name, cell in rest.items()}
        expected: Json = cells["expected"]
        if expected.lstrip().startswith("["):
            expected = _json("expected", expected)
        elif "index" not in rest and expected.isdecimal() and "documents" in judge.fields:
            expected = int(expected)
    except ExampleInvalid as error:
        return error
    if set(given) == {"input"}:
        given = given["input"]
        if given.lstrip().startswith("{"):
            try:
                given = _parsed(given)
            except orjson.JSONDecodeError:
                pass  # a text that begins so
            except ExampleInvalid as error:
                return error
    return {"input": given, "expected": expected, "slices": slices}


def _parsed(text: str) -> Json:
    """The value in a text. Raises orjson.JSONDecodeError, and ExampleInvalid for U+0000, which JSON can write."""
    value = orjson.loads(text)
    try:
        check_json(text.encode(), value)
    except TextInvalid as error:
        raise ExampleInvalid(error.message) from error
    return value


def _json(name: str, cell: str) -> Json:
    try:
        return _parsed(cell)
    except orjson.JSONDecodeError as error:
        raise ExampleInvalid(
            _('The column “%(name)s” holds JSON: a list like ["a", "b"], or a number.') % {"name": name}
        ) from error


def _all(task: str, given: Iterable[tuple[int, Json]]) -> list[Read]:
    judge, check = JUDGES[task], Check(registry.get(task).codec.input_schema(ModelSpec()))
    found: list[Read] = []
    wrong: list[tuple[int, str]] = []
    values: dict[str, set[str]] = {}
    for line, one in given:
        if len(found) == settings.GOLDEN_MAX_EXAMPLES:
            most = settings.GOLDEN_MAX_EXAMPLES
            wrong.append((line, _("A golden set has at most %(most)s examples: leave some out.") % {"most": most}))
            break
        try:
            read = _read(judge, check, one)
            for name, value in read.slices.items():
                values.setdefault(name, set()).add(value)
            if len(values) > MOST_SLICES or any(len(some) > MOST_VALUES for some in values.values()):
                told = _("There are at most %(columns)s slices with %(values)s values each: leave some out.")
                raise ExampleInvalid(told % {"columns": MOST_SLICES, "values": MOST_VALUES})
            found.append(read)
        except ExampleInvalid as error:
            wrong.append((line, str(error)))
            if len(wrong) == MOST_TOLD:
                break
    if wrong:
        raise _refused(wrong)
    if not found:
        raise GoldenSetInvalid(_("There are no examples: each line is one."), param="file")
    return found


def _read(judge: Judge, check: Check, one: Json) -> Read:
    """Raises ExampleInvalid."""
    if isinstance(one, ExampleInvalid):
        raise one
    if not isinstance(one, dict) or "input" not in one or "expected" not in one:
        raise ExampleInvalid(_("An example has “input” and “expected”."))
    unknown = next((name for name in one if name not in ("input", "expected", "slices")), None)
    if unknown is not None:
        told = _("There is no use for “%(name)s”: an example has input, expected and slices.")
        raise ExampleInvalid(told % {"name": unknown[:MOST_NAME]})
    given = one["input"]
    if not isinstance(given, dict):
        if not judge.fields:
            raise ExampleInvalid(_("“input” is a row: its columns and their values."))
        given = {judge.fields[0]: given}
    given = judge.wrap(given)
    if judge.open:
        row = given["features"]
        if not row or not all(isinstance(cell, (str, int, float)) for cell in row.values()):
            raise ExampleInvalid(_("“input” is a row: its columns and their values."))
    else:
        try:
            check(given, "")
        except InputInvalid as error:
            where = (error.param or "").lstrip("/")
            raise ExampleInvalid(f"{where}: {error.message}" if where else error.message) from error
    return Read(given, judge.expected(one["expected"]), _slices(one.get("slices") or {}))


def _slices(given: Json) -> dict[str, str]:
    if not isinstance(given, dict):
        raise ExampleInvalid(_('“slices” are names with their values, like {"language": "en"}.'))
    found = {str(name): str(value) for name, value in given.items() if not isinstance(value, (dict, list))}
    if len(found) != len(given) or any(not 0 < len(part) <= MOST_NAME for pair in found.items() for part in pair):
        raise ExampleInvalid(_("Slices have short names and values: at most %(n)s characters.") % {"n": MOST_NAME})
    return found


def _refused(wrong: list[tuple[int, str]]) -> GoldenSetInvalid:
    first = _("Line %(line)s: %(told)s") % {"line": wrong[0][0], "told": wrong[0][1]}
    return GoldenSetInvalid(first, details={"errors": [{"line": line, "message": told} for line, told in wrong]})
