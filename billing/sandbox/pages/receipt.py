"""The receipt of a charge."""

from __future__ import annotations

from billing.sandbox.errors import StripeError
from billing.sandbox.pages.frame import Page, day, money, page, row
from billing.sandbox.params import Params
from billing.sandbox.store import Store


def show(store: Store, id: str, error: str = "") -> Page:
    """What was paid, when, how, and what of it went back."""
    charge = store.get("charge", id)
    details = charge["payment_method_details"]
    how = details[details["type"]]
    paid_by = f"{how.get('brand', how.get('bank_name', '')).title()} ending in {how['last4']}"
    body = row("Date", day(charge["created"])) + row("Paid by", paid_by) + row("Number", charge["receipt_number"] or "")
    if charge["description"]:
        body += row("For", charge["description"])
    body += row("Amount paid", money(charge["amount_captured"]), "sum")
    if charge["amount_refunded"]:
        body += row("Refunded", money(-charge["amount_refunded"]))
    return page("Receipt", f"<h1>Receipt from Mercato</h1>{body}")


def press(store: Store, id: str, form: Params) -> Page:
    """Nothing can be sent to it."""
    return show(store, id)


def refused(store: Store, id: str, error: StripeError) -> Page:
    """Nothing can be sent to it."""
    return show(store, id)
