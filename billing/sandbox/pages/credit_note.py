"""A credit note's PDF."""

from __future__ import annotations

from billing.sandbox.errors import StripeError
from billing.sandbox.pages import pdf
from billing.sandbox.pages.frame import Page, day, money
from billing.sandbox.params import Params
from billing.sandbox.store import Store


def show(store: Store, id: str, error: str = "") -> Page:
    """The file."""
    note = store.get("credit_note", id)
    invoice = store.get("invoice", note["invoice"])
    text: list[pdf.Line] = [
        (f"CREDIT NOTE {note['number']}", "Mercato (sandbox)"),
        ("", ""),
        ("Date", day(note["created"])),
        ("Of invoice", invoice["number"]),
        ("Reason", (note["reason"] or "").replace("_", " ")),
        ("Memo", note["memo"] or ""),
        ("", ""),
        *((line["description"] or "", money(line["amount"])) for line in note["lines"]["data"]),
        ("Tax", money(note["total"] - note["total_excluding_tax"])),
        ("Total credited", money(note["total"])),
    ]
    return Page(200, pdf.document(f"Credit note {note['number']}", text), kind="application/pdf")


def press(store: Store, id: str, form: Params) -> Page:
    """Nothing can be sent to it."""
    return show(store, id)


def refused(store: Store, id: str, error: StripeError) -> Page:
    """Nothing can be sent to it."""
    return show(store, id)
