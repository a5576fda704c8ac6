"""An invoice's page, on which it can be paid, and its PDF."""

from __future__ import annotations

from html import escape

from billing.sandbox.errors import StripeError
from billing.sandbox.pages import pdf
from billing.sandbox.pages.checkout import question
from billing.sandbox.pages.frame import CARD_FIELDS, CARDS_TO_TRY, Page, alert, day, money, page, row, to
from billing.sandbox.params import Params
from billing.sandbox.resources import cards, collection, methods
from billing.sandbox.store import Object, Store


def show(store: Store, id: str, error: str = "") -> Page:
    """The invoice; its PDF where the address ends with /pdf."""
    id, _, kind = id.partition("/")
    invoice = store.get("invoice", id)
    if kind == "pdf":
        return Page(200, pdf.document(f"Invoice {invoice['number']}", _text(invoice)), kind="application/pdf")
    lines = "".join(
        f"<tr><td>{escape(line['description'] or '')}<br><small>{day(line['period']['start'])} – {day(line['period']['end'])}</small></td>"
        f"<td>{money(line['amount'])}</td></tr>"
        for line in invoice["lines"]["data"]
    )
    sums = "".join(row(name, value, "sum" if name == "Total" else "") for name, value in _sums(invoice))
    form = ""
    if invoice["status"] in ("open", "uncollectible") and invoice["amount_remaining"]:
        form = f'<form method="post">{CARD_FIELDS}<button>Pay {money(invoice["amount_remaining"])}</button></form>{CARDS_TO_TRY}'
    body = f"""<h1>Invoice {escape(invoice["number"] or "")}</h1>{alert(error)}{_head(invoice)}
<table><thead><tr><th>Description</th><th>Amount</th></tr></thead><tbody>{lines}</tbody></table>{sums}
<p><a href="{invoice["invoice_pdf"]}">Download as PDF</a></p>{form}"""
    return page(f"Invoice {invoice['number']}", body, 402 if error else 200, width=40)


def press(store: Store, id: str, form: Params) -> Page:
    """Pays it with a card; an invoice that waits for authentication goes on with it."""
    invoice = store.get("invoice", id)
    if invoice["status"] not in ("open", "uncollectible"):
        return to(f"/i/{id}")
    if form.get("authenticated") == "no":
        return show(store, id, "We are unable to authenticate your payment method.")
    card = cards.entered(str(form.get("card", "")))
    if card.authenticates and form.get("authenticated") != "yes":
        return question(f"/i/{id}", card=card.number)
    collection.attempt(store, invoice, methods.make(store, card), authenticated=True)
    return to(f"/i/{id}")


def refused(store: Store, id: str, error: StripeError) -> Page:
    """The invoice again, with the reason."""
    return show(store, id, str(error))


def _head(invoice: Object) -> str:
    about = row("Status", invoice["status"]) + row("Date", day(invoice["status_transitions"]["finalized_at"]))
    if invoice["due_date"]:
        about += row("Due", day(invoice["due_date"]))
    return about + row("To", invoice["customer_name"] or invoice["customer_email"] or invoice["customer"])


def _sums(invoice: Object) -> list[tuple[str, str]]:
    found = [("Subtotal", money(invoice["subtotal"]))]
    for tax in invoice["total_taxes"]:
        reason = "reverse charge" if tax["taxability_reason"] == "reverse_charge" else tax["tax_behavior"]
        found.append((f"Tax ({reason})", money(tax["amount"])))
    found.append(("Total", money(invoice["total"])))
    credited = invoice["pre_payment_credit_notes_amount"] + invoice["post_payment_credit_notes_amount"]
    if invoice["starting_balance"]:
        found.append(("Carried from before", money(invoice["starting_balance"])))
    if credited:
        found.append(("Credit notes", money(-credited)))
    if invoice["ending_balance"]:
        found.append(("Carried to the next invoice", money(invoice["ending_balance"])))
    return [*found, ("Paid", money(invoice["amount_paid"])), ("Amount due", money(invoice["amount_remaining"]))]


def _text(invoice: Object) -> list[pdf.Line]:
    found: list[pdf.Line] = [
        (f"INVOICE {invoice['number'] or '(draft)'}", "Mercato (sandbox)"),
        ("", ""),
        ("Date", day(invoice["status_transitions"]["finalized_at"] or invoice["created"])),
        ("To", invoice["customer_name"] or invoice["customer_email"] or invoice["customer"]),
        ("Status", invoice["status"]),
        ("", ""),
    ]
    for line in invoice["lines"]["data"]:
        found.append((line["description"] or "", money(line["amount"])))
        found.append((f"  {day(line['period']['start'])} - {day(line['period']['end'])}", ""))
    found.append(("-" * 60, "-" * 20))
    return found + _sums(invoice)
