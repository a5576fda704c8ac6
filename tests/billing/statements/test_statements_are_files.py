"""The statement as CSV and XLSX: the same exact figures, and no text that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from billing import money
from billing.ledger import postings
from billing.metering.models import UsageEvent
from billing.money import NANOS
from billing.statements import export
from billing.statements.export import harmless
from portal.accounts.keys.issuing import issue
from portal.accounts.models import User, Workspace
from portal.kit import ids
from tests.fixtures.people import signed_in

EVIL = '=HYPERLINK("http://evil.example","x")'
_TAG = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def used(workspace: Workspace, nanos: int, key: str = "") -> None:
    UsageEvent.objects.create(
        id=ids.make("use"), request_id="req_x", workspace_id=workspace.pk, key_id=key, model="a/b", version_id="v",
        protocol="openai", units={"request": 1, "row": 3}, price_id="p", cost_nanos=nanos, lease_id="lease_x",
        funding="receivable", latency_ms=1, recorded_at=timezone.now(),
    )  # fmt: skip


@pytest.fixture
def busy(funded: Workspace) -> Workspace:
    key, _ = issue(funded, EVIL)
    used(funded, 123_456_789_012_345_678, key.pk)
    used(funded, 1)
    postings.top_up(funded.pk, 7 * NANOS, "topup:1", "@SUM(1+1)|cmd")
    return funded


def sheets(content: bytes) -> dict[str, list[dict[str, str]]]:
    """Sheet → rows, by the names in the first row. A formula anywhere fails."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        texts = [
            "".join(part.text or "" for part in entry.iter(f"{_TAG}t"))
            for entry in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        ]
        names = re.findall(r'<sheet name="([^"]+)"', book.read("xl/workbook.xml").decode())
        found = {}
        for at, name in enumerate(names, 1):
            tree = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{at}.xml"))
            assert not list(tree.iter(f"{_TAG}f"))
            rows = [
                {
                    re.sub(r"\d", "", cell.attrib["r"]): texts[int(value)] if cell.get("t") == "s" else value
                    for cell in row
                    if (value := cell.findtext(f"{_TAG}v")) is not None
                }
                for row in tree.iter(f"{_TAG}row")
            ]
            found[name] = [{rows[0][column]: value for column, value in row.items()} for row in rows[1:]]
    return found


def table(user: User, by: str) -> list[dict[str, Any]]:
    answer = signed_in(user).get(f"/billing/statement.csv?by={by}")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="mercato-statement-olga-')
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode(), newline="")))  # type: ignore[arg-type]


def test_every_amount_of_the_csv_is_exact_and_adds_up(owner: User, busy: Workspace) -> None:
    rows = table(owner, "model")
    usage = [row for row in rows if row["section"] == "usage by model"]
    assert [(row["item"], row["requests"], row["units"], row["amount_usd"]) for row in usage] == [
        ("a/b", "2", "request=2 row=6", "123456789.012345679")
    ]
    invoice = [Decimal(row["amount_usd"]) for row in rows if row["section"] == "invoice"]
    assert sum(invoice[:-1]) == invoice[-1]
    moved = [row for row in rows if row["section"] == "money"]
    assert moved[0]["item"] == "opening balance"
    assert moved[-1]["item"] == "closing balance"
    for name in ("promo_usd", "credit_usd", "amount_usd"):
        amounts = [Decimal(row[name] or 0) for row in moved]
        assert sum(amounts[:-1]) == amounts[-1]


def test_no_cell_of_the_csv_is_a_formula(owner: User, busy: Workspace) -> None:
    rows = table(owner, "key")
    cells = [cell for row in rows for cell in row.values()]
    assert f"'{EVIL}" in {cell[: len(EVIL) + 1] for cell in cells}
    assert "'@SUM(1+1)|cmd" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]


@given(st.text())
def test_whatever_a_text_is_it_is_no_formula(text: str) -> None:
    safe = harmless(text)
    assert safe in (text, f"'{text}")
    if safe == text and safe.lstrip()[:1] in tuple("=+-@＝＋－＠"):
        assert re.fullmatch(r"-?[0-9]+(\.[0-9]*)?", safe), safe
    assert safe[:1] not in ("\t", "\r", "\n")


@given(st.integers(-money.LARGEST, money.LARGEST))
def test_amounts_stay_numbers(nanos: int) -> None:
    assert harmless(money.decimal(nanos)) == money.decimal(nanos)


def test_the_workbook_has_numbers_and_the_exact_text_beside(owner: User, busy: Workspace) -> None:
    answer = signed_in(owner).get("/billing/statement.xlsx?by=key")
    book = sheets(answer.content)
    assert list(book) == ["Usage", "Invoice", "Money"]
    row = book["Usage"][0]
    assert row["item"].startswith(EVIL)
    assert row["amount_usd_exact"] == "123456789.012345678"
    assert abs(Decimal(row["amount_usd"]) - Decimal(row["amount_usd_exact"])) < Decimal("0.0000001")
    by_csv = [r["amount_usd"] for r in table(owner, "key")]
    in_book = [r["amount_usd_exact"] for rows in book.values() for r in rows]
    assert by_csv == in_book


def test_an_empty_statement_is_a_file_too(owner: User, workspace: Workspace) -> None:
    query = "?from=2020-01-01&to=2020-01-31"
    assert b"section" in b"".join(signed_in(owner).get(f"/billing/statement.csv{query}").streaming_content)  # type: ignore[arg-type]
    book = sheets(signed_in(owner).get(f"/billing/statement.xlsx{query}").content)
    assert book["Usage"] == []
    assert book["Money"][0]["amount_usd_exact"] == "0.00"


def test_a_workbook_that_would_be_too_large_is_refused_and_the_csv_is_whole(
    busy: Workspace, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(owner)
    monkeypatch.setattr(export, "MOST_ROWS", 2)
    assert client.get("/billing/statement.xlsx?by=key").status_code == 200
    for number in range(2):
        used(busy, 5, f"key_{number}")
    answer = client.get("/billing/statement.xlsx?by=key")
    assert answer.status_code == 422
    assert "The statement has 4 rows; XLSX is made of 2 at most. Take the CSV" in answer.content.decode()
    content = b"".join(client.get("/billing/statement.csv?by=key").streaming_content)  # type: ignore[arg-type]
    assert content.count(b"usage by key") == 4
