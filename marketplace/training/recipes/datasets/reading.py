"""Uploaded tables: a CSV, JSONL or Parquet file becomes columns of text. Every cell is data; nothing in it is run.

Each file is bounded while it is read, so that a small file that unpacks into a large one is refused, not loaded.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

MOST_ROWS, LEAST_ROWS = 200_000, 10
MOST_COLUMNS = 300
MOST_CELLS = 3_000_000
MOST_CHARACTERS = 10_000  # of a cell
MOST_NAME = 60  # characters of a column's name
MOST_UNPACKED = 256 * 1024 * 1024  # bytes of a Parquet file's pages
DELIMITERS = ",;\t|"
MISSING = frozenset({"na", "n/a", "nan", "null", "none", "?"})
_DECIMAL_COMMA = re.compile(r"[+-]?\d+(,\d+)?$")


class Unreadable(ValueError):
    """The file is no table that can be used: the reason's name in refusals.REASONS, and what its sentence has places for."""

    def __init__(self, reason: str, **values: object) -> None:
        super().__init__(f"{reason}: {values}")
        self.reason, self.values = reason, values


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as text, column by column; a missing cell is blank. `written` is how the file separates its cells."""

    names: tuple[str, ...]
    columns: tuple[list[str], ...]
    written: str = ""

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.columns[0])


def read(path: Path, form: str) -> Sheet:
    """The table in the file; `form` is csv, jsonl or parquet. Raises Unreadable."""
    return _READERS[form](path)


def csv_sheet(data: bytes) -> Sheet:
    """The table in a CSV file. Raises Unreadable."""
    text = _decoded(data)
    delimiter = _delimiter(text)
    names: tuple[str, ...] = ()
    began = 0  # the line that the record begins on
    rows: list[list[str]] = []
    csv.field_size_limit(MOST_CHARACTERS)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in lines:
            line, began = began + 1, lines.line_num
            if not any(map(str.strip, row)):
                continue
            if not names:
                names = _names(row, line)
                continue
            if len(row) != len(names):
                _ragged(row, names, line)
            rows.append(row)
            _bounded(len(rows), len(names))
    except csv.Error as error:
        if "field larger" in str(error):
            raise Unreadable("cell_long", line=began + 1, most=MOST_CHARACTERS) from error
        raise Unreadable("quotes", line=began + 1) from error
    return _sheet(names, zip(*rows, strict=True), {"\t": "tab"}.get(delimiter, delimiter))


def _ragged(row: list[str], names: tuple[str, ...], line: int) -> None:
    if len(row) < len(names):
        raise Unreadable("row_short", line=line, found=len(row), wanted=len(names), name=names[len(row)])
    raise Unreadable("row_long", line=line, found=len(row), wanted=len(names), column=len(names) + 1)


def _decoded(data: bytes) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise Unreadable("encoding", line=line, column=column) from error
    at = text.find("\0")
    if at >= 0:
        raise Unreadable("zero_byte", line=text.count("\n", 0, at) + 1)
    return text


def _delimiter(text: str) -> str:
    """The one that cuts the first lines into equally many cells, and most of them."""

    def cells(delimiter: str) -> tuple[bool, int]:
        found: list[int] = []
        try:
            found += (len(row) for row in islice(csv.reader(text[:200_000].splitlines(True), delimiter=delimiter), 20))
        except csv.Error:
            pass  # what was read before it tells enough
        widths = [width for width in found if width]
        return bool(widths) and widths[0] > 1 and widths.count(widths[0]) * 2 >= len(widths), max(widths[:1], default=0)

    best = max(DELIMITERS, key=cells)
    if cells(best)[1] < 2:
        raise Unreadable("one_column")
    return best


def _names(row: Iterable[str], line: int) -> tuple[str, ...]:
    names = tuple(name.strip() for name in row)
    for column, name in enumerate(names, 1):
        if not name:
            raise Unreadable("name_missing", line=line, column=column)
        if len(name) > MOST_NAME or not name.isprintable():
            raise Unreadable("name_odd", line=line, column=column, most=MOST_NAME)
        if names.index(name) != column - 1:
            raise Unreadable("name_twice", line=line, column=column, name=name)
    if all(number(name) is not None for name in names):
        raise Unreadable("no_header", line=line)
    return names


def _bounded(rows: int, columns: int) -> None:
    if columns > MOST_COLUMNS:
        raise Unreadable("columns", most=MOST_COLUMNS)
    if rows > MOST_ROWS:
        raise Unreadable("rows", most=MOST_ROWS)
    if rows * columns > MOST_CELLS:
        raise Unreadable("cells", most=MOST_CELLS)


def _jsonl(path: Path) -> Sheet:
    rows: list[dict[str, Any]] = []
    known: dict[str, None] = {}
    for line, text in enumerate(io.StringIO(_decoded(path.read_bytes())), 1):
        if not text.strip():
            continue
        try:
            row = json.loads(text, parse_constant=lambda _name: None)
        except (ValueError, RecursionError) as error:
            column = getattr(error, "colno", 1)
            raise Unreadable("no_json", line=line, column=column) from error
        if not isinstance(row, dict):
            raise Unreadable("no_object", line=line)
        for name, value in row.items():
            if isinstance(value, dict | list):
                raise Unreadable("nested", line=line, name=name[:MOST_NAME])
            if isinstance(value, str) and len(value) > MOST_CHARACTERS:
                raise Unreadable("text_long", line=line, name=name[:MOST_NAME], most=MOST_CHARACTERS)
        known.update(dict.fromkeys(row))
        rows.append(row)
        _bounded(len(rows), len(known))
    names = _names(known, 1) if known else ()
    return _sheet(names, ([_text(row.get(key)) for row in rows] for key in known), "")


def _parquet(path: Path) -> Sheet:
    import pyarrow
    from pyarrow import parquet, types

    allowed: tuple[Callable[[Any], bool], ...] = (
        types.is_integer, types.is_floating, types.is_decimal, types.is_boolean, types.is_string, types.is_large_string,
        types.is_date, types.is_timestamp, types.is_null,
    )  # fmt: skip
    try:
        with parquet.ParquetFile(path) as file:
            schema, told = file.schema_arrow, file.metadata
            for name, kind in zip(schema.names, schema.types, strict=True):
                plain = kind.value_type if types.is_dictionary(kind) else kind
                if not any(fits(plain) for fits in allowed):
                    raise Unreadable("type", name=name[:MOST_NAME], kind=str(kind)[:60])
            names = _names(schema.names, 1) if schema.names else ()
            _bounded(told.num_rows, len(names))
            if sum(told.row_group(at).total_byte_size for at in range(told.num_row_groups)) > MOST_UNPACKED:
                raise Unreadable("unpacked", most=MOST_UNPACKED // 1024**2)
            columns: list[list[str]] = [[] for _ in names]
            # A few rows at a time: a text that is stored once and named by every row is unpacked for these only.
            for batch in file.iter_batches(batch_size=256):
                for name, column, into in zip(names, batch.columns, columns, strict=True):
                    values = column.to_pylist()
                    if any(isinstance(value, str) and len(value) > MOST_CHARACTERS for value in values):
                        raise Unreadable("row_text_long", line=len(into) + 1, name=name, most=MOST_CHARACTERS)
                    into += map(_text, values)
                    _bounded(len(into), len(names))
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise Unreadable("no_parquet") from error
    return _sheet(names, columns, "")


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sheet(names: tuple[str, ...], columns: Iterable[Iterable[str]], written: str) -> Sheet:
    made = tuple(_clean(column, written == ";") for column in columns)
    if not names or not made or len(made[0]) < LEAST_ROWS:
        raise Unreadable("few_rows", found=len(made[0]) if made else 0, least=LEAST_ROWS)
    return Sheet(names, made, written)


def _clean(column: Iterable[str], german: bool) -> list[str]:
    """Cells without blanks around them, those that say that nothing is there blank; equal texts are kept once."""
    kept: dict[str, str] = {}
    cells = []
    for cell in column:
        text = cell.strip()
        cells.append(kept.setdefault(text, "" if text.lower() in MISSING else text))
    # Where semicolons part cells, a comma is the decimal point, if every number of the column agrees.
    if german and any("," in cell for cell in kept) and all(not c or _DECIMAL_COMMA.match(c) for c in kept.values()):
        return [cell.replace(",", ".") for cell in cells]
    return cells


def number(cell: str) -> float | None:
    """The number that a cell is, from -1e12 to 1e12; else None. Words for infinities and digits of other scripts are text."""
    if not cell.isascii() or "_" in cell or not any(map(str.isdigit, cell)):
        return None
    try:
        found = float(cell)
    except ValueError:
        return None
    return found if abs(found) <= 1e12 else None


_READERS: dict[str, Callable[[Path], Sheet]] = {
    "csv": lambda path: csv_sheet(path.read_bytes()),
    "jsonl": _jsonl,
    "parquet": _parquet,
}
FORMS = tuple(_READERS)


def records(sheet: Sheet, at: Iterable[int]) -> Iterator[dict[str, str]]:
    """Rows of the table by number, as names and cells."""
    for row in at:
        yield {name: column[row] for name, column in zip(sheet.names, sheet.columns, strict=True)}
