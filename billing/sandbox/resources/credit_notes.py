"""Credit notes: an invoice was for less. One that is open is owed less; of one that is paid, money or credit goes back."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from billing.sandbox.errors import StripeError
from billing.sandbox.params import LIST, PAGE, Params, cents, merged, takes, whole
from billing.sandbox.resources import charges, collection, refunds, taxes
from billing.sandbox.store import Object, Store

KNOWN = (
    "amount", "credit_amount", "refund_amount", "out_of_band_amount", "reason", "memo", "metadata", "effective_at",
    "email_type", "lines.type", "lines.invoice_line_item", "lines.quantity", "lines.amount", "lines.description",
    "lines.unit_amount", "lines.unit_amount_decimal", "refunds.refund", "refunds.amount_refunded", "refunds.type",
)  # fmt: skip
REASONS = ("duplicate", "fraudulent", "order_change", "product_unsatisfactory")


@takes(*KNOWN, required=("invoice",))
def create(store: Store, given: Params) -> Object:
    invoice = store.get("invoice", given["invoice"], 404, "invoice")
    note = store.create("credit_note", "cn", _drafted(store, invoice, given))
    note["lines"]["url"] = f"/v1/credit_notes/{note['id']}/lines"
    note["pdf"] = f"{store.base}/cn/{note['id']}"
    invoice, note = _give_back(store, invoice, note, given)
    _owe_less(store, invoice, note["pre_payment_amount"])
    store.save(note)
    store.emit("credit_note.created", note)
    return note


@takes(*KNOWN, required=("invoice",))
def preview(store: Store, given: Params) -> Object:
    with store.rehearsal():
        note: Object = create(store, given)
    return note


@takes(*KNOWN, *PAGE, required=("invoice",))
def preview_lines(store: Store, given: Params) -> list[Object]:
    told = {name: value for name, value in given.items() if name not in PAGE}
    with store.rehearsal():
        found: list[Object] = create(store, told)["lines"]["data"]
    return found


def _drafted(store: Store, invoice: Object, given: Params) -> Object:
    if invoice["status"] not in ("open", "paid"):
        raise StripeError(
            f"You can only create credit notes for open or paid invoices: this one is {invoice['status']}.",
            param="invoice",
        )
    if given.get("reason") not in (None, *REASONS):
        raise StripeError(f"Invalid reason: must be one of {', '.join(REASONS)}", param="reason")
    found = [_line(invoice, line, f"lines[{at}]") for at, line in enumerate(given.get("lines") or [])]
    subtotal = sum(line["amount"] for line in found) if found else cents(given, "amount")
    told = taxes.totals(found)
    total = subtotal + sum(tax["amount"] for tax in told if tax["tax_behavior"] == "exclusive")
    before = invoice["pre_payment_credit_notes_amount"] + invoice["post_payment_credit_notes_amount"]
    most = invoice["total"] - before
    if total < 1 or total > most:
        raise StripeError(
            f"The credit note's total (${total / 100:.2f}) must be above $0.00 and at most ${most / 100:.2f}.",
            param="amount",
        )
    number = sum(note["invoice"] == invoice["id"] for note in store.all("credit_note", invoice["customer"])) + 1
    unpaid = min(total, invoice["amount_remaining"]) if invoice["status"] == "open" else 0
    return {
        "amount": total,
        "amount_shipping": 0,
        "currency": "usd",
        "customer": invoice["customer"],
        "customer_account": None,
        "customer_balance_transaction": None,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": store.now(),
        "invoice": invoice["id"],
        "lines": {"object": "list", "data": found, "has_more": False, "url": ""},
        "memo": given.get("memo"),
        "metadata": given.get("metadata", {}),
        "number": f"{invoice['number']}-CN-{number:02d}",
        "out_of_band_amount": None,
        "post_payment_amount": total - unpaid,
        "pre_payment_amount": unpaid,
        "pretax_credit_amounts": [],
        "reason": given.get("reason"),
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": subtotal,
        "subtotal_excluding_tax": total - sum(tax["amount"] for tax in told),
        "total": total,
        "total_excluding_tax": total - sum(tax["amount"] for tax in told),
        "total_taxes": told,
        "type": "mixed" if 0 < unpaid < total else "pre_payment" if unpaid else "post_payment",
        "voided_at": None,
    }


def _line(invoice: Object, given: Params, at: str) -> Object:
    body: Params = {
        "id": f"cnli_{invoice['id'][3:]}{at[6:-1]}",
        "object": "credit_note_line_item",
        "discount_amount": 0,
        "discount_amounts": [],
        "invoice_line_item": None,
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "tax_rates": [],
        "taxes": [],
        "unit_amount": None,
        "unit_amount_decimal": None,
    }
    if given.get("type") == "custom_line_item":
        quantity = whole(given, "quantity", 1)
        unit = cents(given, "unit_amount")
        return {
            **body,
            "type": "custom_line_item",
            "description": given.get("description", ""),
            "quantity": quantity,
            "unit_amount": unit,
            "unit_amount_decimal": str(unit),
            "amount": unit * quantity,
        }
    if given.get("type") != "invoice_line_item":
        raise StripeError("Invalid type: must be one of invoice_line_item or custom_line_item", param=f"{at}[type]")
    of = next((one for one in invoice["lines"]["data"] if one["id"] == given.get("invoice_line_item")), None)
    if of is None:
        raise StripeError(
            f"No such invoice line item: '{given.get('invoice_line_item')}'",
            "resource_missing",
            f"{at}[invoice_line_item]",
        )
    if "amount" in given:
        amount = cents(given, "amount")
    else:
        share = Decimal(whole(given, "quantity", of["quantity"])) / Decimal(max(of["quantity"], 1))
        amount = int((of["amount"] * share).quantize(Decimal(1), ROUND_HALF_UP))
    if amount > of["amount"]:
        raise StripeError("The amount is greater than the invoice line item's.", param=f"{at}[amount]")
    taxed = [
        {**tax, "amount": _share(tax["amount"], amount, of["amount"]), "taxable_amount": amount} for tax in of["taxes"]
    ]
    return {
        **body,
        "type": "invoice_line_item",
        "invoice_line_item": of["id"],
        "description": of["description"],
        "quantity": given.get("quantity"),
        "amount": amount,
        "taxes": taxed,
    }


def _share(tax: int, amount: int, of: int) -> int:
    return int((Decimal(tax) * amount / Decimal(max(of, 1))).quantize(Decimal(1), ROUND_HALF_UP))


def _owe_less(store: Store, invoice: Object, amount: int) -> None:
    if not amount:
        return
    invoice = store.save(
        {
            **invoice,
            "pre_payment_credit_notes_amount": invoice["pre_payment_credit_notes_amount"] + amount,
            "amount_due": invoice["amount_due"] - amount,
            "amount_remaining": invoice["amount_remaining"] - amount,
        }
    )
    if amount > 0 and invoice["amount_remaining"] == 0:
        collection.forgive(store, invoice)
    else:
        store.emit("invoice.updated", invoice)


def _give_back(store: Store, invoice: Object, note: Object, given: Params) -> tuple[Object, Object]:
    """What of the note was paid already; the invoice and the note after it."""
    credit, refund, outside = (
        whole(given, name, 0) for name in ("credit_amount", "refund_amount", "out_of_band_amount")
    )
    linked: list[tuple[Object, int]] = []
    for one in given.get("refunds") or []:
        known = store.get("refund", one.get("refund", ""), 400, "refunds")
        linked.append((known, whole(one, "amount_refunded", known["amount"])))
    told = credit + refund + outside + sum(amount for _, amount in linked)
    paid = note["post_payment_amount"]
    if min(credit, refund, outside) < 0 or told != paid:
        raise StripeError(
            f"The sum of credit amount, refund amount and out of band amount (${told / 100:.2f}) must equal the post payment amount (${paid / 100:.2f}).",
            param="amount",
        )
    if not paid:
        return invoice, note
    if refund:
        linked.append((refunds.make(store, _charge(store, invoice), refund), refund))
    if credit:
        note["customer_balance_transaction"] = _credit(store, note, -credit)["id"]
    note |= {
        "out_of_band_amount": outside or None,
        "refunds": [
            {"amount_refunded": amount, "refund": known["id"], "type": "refund", "payment_record_refund": None}
            for known, amount in linked
        ],
    }
    credited = invoice["post_payment_credit_notes_amount"] + paid
    invoice = store.save({**invoice, "post_payment_credit_notes_amount": credited})
    store.emit("invoice.updated", invoice)
    return invoice, note


def _charge(store: Store, invoice: Object) -> Object:
    for one in collection.payments_of(store, invoice):
        intent: Any = store.find("payment_intent", one["payment"]["payment_intent"])
        if intent and intent["status"] == "succeeded":
            return charges.paid(store, {"payment_intent": intent["id"]})
    raise StripeError("The invoice has no payment that can be refunded.", param="refund_amount")


def _credit(store: Store, note: Object, amount: int) -> Object:
    customer = store.get("customer", note["customer"])
    customer = store.save({**customer, "balance": customer["balance"] + amount})
    body = {
        "amount": amount,
        "checkout_session": None,
        "credit_note": note["id"],
        "currency": "usd",
        "customer": customer["id"],
        "customer_account": None,
        "description": None,
        "ending_balance": customer["balance"],
        "invoice": note["invoice"],
        "metadata": {},
        "type": "credit_note",
    }
    store.emit("customer.updated", customer)
    return store.create("customer_balance_transaction", "cbtxn", body)


@takes()
def retrieve(store: Store, given: Params, id: str) -> Object:
    return store.get("credit_note", id)


@takes("invoice", "customer", *LIST)
def listed(store: Store, given: Params) -> list[Object]:
    found = store.all("credit_note", given.get("customer"))
    return [n for n in found if given.get("invoice") in (None, n["invoice"])]


@takes(*PAGE)
def lines(store: Store, given: Params, id: str) -> list[Object]:
    found: list[Object] = store.get("credit_note", id)["lines"]["data"]
    return found


@takes("memo", "metadata")
def update(store: Store, given: Params, id: str) -> Object:
    note = store.get("credit_note", id)
    note |= {"memo": given.get("memo", note["memo"]), "metadata": merged(note["metadata"], given)}
    store.emit("credit_note.updated", store.save(note))
    return note


@takes()
def void(store: Store, given: Params, id: str) -> Object:
    note = store.get("credit_note", id)
    invoice = store.get("invoice", note["invoice"])
    if note["status"] == "void" or invoice["status"] != "open":
        raise StripeError("You can only void a credit note that is issued, while its invoice is open.")
    _owe_less(store, invoice, -note["pre_payment_amount"])
    note |= {"status": "void", "voided_at": store.now()}
    store.emit("credit_note.voided", store.save(note))
    return note
