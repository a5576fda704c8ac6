"""A statement as a file: CSV for programs, XLSX for people who calculate. Every amount is there exactly, as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import xlsxwriter
from django.utils.translation import gettext as _

from billing import money
from billing.ledger.kinds import OF_WORKSPACE
from billing.statements.movements import Movements
from billing.statements.statement import Statement
from portal.kit.errors import Problem

MOST_ROWS = 20_000  # of a workbook: about two seconds. A sheet cannot have more than 1,048,576
CSV, XLSX = "text/csv; charset=utf-8", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_COLUMNS = (
    "section", "item", "id", "time", "note", "requests", "units", "from_credit_usd", "metered_usd",
    *(f"{kind}_usd" for kind in OF_WORKSPACE), "amount_usd",
)  # fmt: skip
_FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


class TooManyRows(Problem):
    """More than a workbook is made of: CSV has no end, and is sent while it is made."""

    status = 422
    code = "too_many_rows"


def as_csv(said: Statement, moved: Movements, by: str) -> Iterator[bytes]:
    """One table: sections usage (by day, model, key or member), invoice (from usage to cents) and money (movements)."""
    line = io.StringIO()
    writer = csv.DictWriter(line, _COLUMNS, restval="", lineterminator="\r\n")  # RFC 4180
    writer.writeheader()
    for row in _rows(said, moved, by):
        writer.writerow({name: harmless(str(value)) for name, value in row.items()})
        yield line.getvalue().encode()
        line.seek(0)
        line.truncate()
    yield line.getvalue().encode()


def harmless(text: str) -> str:
    """The text, with an apostrophe before what a spreadsheet would run as a formula. Numbers stay numbers.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    bare = text.lstrip()
    if text[:1] in ("\t", "\r", "\n") or (bare.startswith(_FORMULAS) and not _is_amount(text)):
        return f"'{text}"
    return text


def _is_amount(text: str) -> bool:
    whole, _dot, fraction = text.removeprefix("-").partition(".")
    return whole.isascii() and whole.isdecimal() and (not fraction or (fraction.isascii() and fraction.isdecimal()))


def _rows(said: Statement, moved: Movements, by: str) -> Iterator[dict[str, Any]]:
    for line in said.lines:
        yield {
            "section": f"usage by {by}",
            "item": line.label,
            "id": line.id if line.id != line.label else "",
            "requests": line.requests,
            "units": " ".join(f"{name}={count}" for name, count in line.units.items()),
            "from_credit_usd": money.decimal(line.credit_nanos),
            "metered_usd": money.decimal(line.metered_nanos),
            "amount_usd": money.decimal(line.cost_nanos),
        }
    for item, nanos in steps(said):
        yield {"section": "invoice", "item": item, "amount_usd": money.decimal(nanos)}
    yield _balances("opening balance", moved.opening, said.start)
    for row in moved.rows:
        yield {
            "section": "money",
            "item": row.kind,
            "id": row.source,
            "time": _time(row.at) if row.at else "",
            "note": row.memo,
            **{f"{kind}_usd": money.decimal(nanos) for kind, nanos in row.changes.items()},
            "amount_usd": money.decimal(row.nanos),
        }
    yield _balances("closing balance", moved.closing, said.end)


def steps(said: Statement) -> list[tuple[str, int]]:
    """From metered usage to the invoice's total: (what, nano-dollars); all but the last add up to the last."""
    return [
        ("metered usage", said.lines_metered_nanos),
        ("of hours split with other periods", said.other_periods_nanos),
        ("carried in", said.carried_in_nanos),
        ("carried out", -said.carried_out_nanos),
        ("rounding to cents", said.rounding_nanos),
        ("total", said.total_cents * money.NANOS_IN_CENT),
    ]


def _balances(item: str, balances: Any, at: datetime) -> dict[str, Any]:
    return {
        "section": "money",
        "item": item,
        "time": _time(at),
        **{f"{kind}_usd": money.decimal(balances.get(kind, 0)) for kind in OF_WORKSPACE},
        "amount_usd": money.decimal(sum(balances.values())),
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def as_xlsx(said: Statement, moved: Movements, by: str) -> bytes:
    """A sheet a section. An amount is a number with nine decimals, and beside it the exact text.

    A spreadsheet calculates in binary floating point; the text is what counts. Raises TooManyRows (422).
    """
    if len(said.lines) > MOST_ROWS:
        raise TooManyRows(
            _("The statement has %(rows)s rows; XLSX is made of %(most)s at most. Take the CSV, or a shorter period.")
            % {"rows": f"{len(said.lines):,}", "most": f"{MOST_ROWS:,}"}
        )
    names = {"usage": _("Usage"), "invoice": _("Invoice"), "money": _("Money")}
    sheets: dict[str, list[dict[str, Any]]] = {section: [] for section in names}
    for row in _rows(said, moved, by):
        sheets[row["section"].split()[0]].append(row)
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    bold, amount = book.add_format({"bold": True}), book.add_format({"num_format": "0.000000000"})
    for section, rows in sheets.items():
        sheet = book.add_worksheet(names[section][:31])
        columns = [name for name in _COLUMNS if name != "section" and any(row.get(name, "") != "" for row in rows)]
        for at, name in enumerate(_doubled(columns)):
            sheet.write_string(0, at, name, bold)
        for down, row in enumerate(rows, 1):
            across = 0
            for name in columns:
                value = row.get(name, "")
                if name.endswith("_usd") and value != "":
                    sheet.write_number(down, across, Decimal(value), amount)
                    sheet.write_string(down, across + 1, value)
                elif isinstance(value, int):
                    sheet.write_number(down, across, value)
                elif value:
                    sheet.write_string(down, across, str(value))
                across += 2 if name.endswith("_usd") else 1
        sheet.autofit()
        sheet.freeze_panes(1, 0)
    book.close()
    return out.getvalue()


def _doubled(columns: list[str]) -> list[str]:
    return [
        name for column in columns for name in ((column, f"{column}_exact") if column.endswith("_usd") else (column,))
    ]
