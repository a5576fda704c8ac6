"""An invoice from its draft to its final figures."""

from __future__ import annotations

from typing import Any

from billing.sandbox.resources import lines, taxes
from billing.sandbox.store import Object, Store

DRAFT_S = 3600  # late usage is still taken up
LEAST_CENTS = 50  # what is less is carried to the customer's next invoice


def body(
    store: Store, customer: Object, found: list[Object], *, reason: str, period: tuple[int, int], **more: Any
) -> Object:
    """A draft with these lines. `more`: what differs from an invoice that is charged automatically."""
    blank = (
        "account_tax_ids", "amount_paid_off_stripe", "application", "automatically_finalizes_at", "confirmation_secret",
        "custom_fields", "customer_account", "customer_shipping", "default_payment_method", "default_source", "description", "due_date",
        "effective_at", "ending_balance", "footer", "from_invoice", "hosted_invoice_url", "invoice_pdf",
        "last_finalization_error", "latest_revision", "next_payment_attempt", "number", "on_behalf_of", "parent",
        "receipt_number", "rendering", "shipping_cost", "shipping_details", "statement_descriptor", "status_details", "test_clock",
        "threshold_reason", "webhooks_delivered_at",
    )  # fmt: skip
    address = customer["address"] and {
        **dict.fromkeys(("line1", "line2", "city", "state", "postal_code", "country")),
        **customer["address"],
    }
    invoice = {
        **dict.fromkeys(blank),
        "account_country": "US",
        "account_name": "Mercato (sandbox)",
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": True,
        "automatic_tax": tax_setting(False),
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "currency": "usd",
        "customer": customer["id"],
        "customer_address": address,
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [{"type": t["type"], "value": t["value"]} for t in store.all("tax_id", customer["id"])],
        "default_tax_rates": [],
        "discounts": [],
        "issuer": {"type": "self"},
        "metadata": {},
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "period_start": period[0],
        "period_end": period[1],
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": customer["balance"],
        "status": "draft",
        "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
        "lines": listed(found, ""),
        **more,
    }
    return summed(store, customer, invoice)


def tax_setting(enabled: bool) -> Object:
    """`automatic_tax` of an invoice."""
    return {
        "disabled_reason": None,
        "enabled": enabled,
        "liability": {"type": "self"} if enabled else None,
        "provider": "stripe" if enabled else None,
        "status": "complete" if enabled else None,
    }


def listed(found: list[Object], invoice: str) -> Object:
    """`lines` of an invoice."""
    for line in found:
        line["invoice"] = invoice or None
    return {"object": "list", "data": found, "has_more": False, "url": f"/v1/invoices/{invoice}/lines"}


def summed(store: Store, customer: Object, invoice: Object) -> Object:
    """The invoice with its lines' sums, its taxes, and what is due after the customer's balance."""
    found = invoice["lines"]["data"]
    if invoice["automatic_tax"]["enabled"]:
        status = "complete" if taxes.located(customer) else "requires_location_inputs"
        invoice["automatic_tax"]["status"] = status
        found = taxes.lines(store, customer, found)
    told = taxes.totals(found)
    subtotal = sum(line["amount"] for line in found)
    added = sum(tax["amount"] for tax in told if tax["tax_behavior"] == "exclusive")
    taxed = sum(tax["amount"] for tax in told)
    total = subtotal + added
    owed = total + invoice["starting_balance"]
    due = owed if owed >= LEAST_CENTS else 0
    return {
        **invoice,
        "lines": listed(found, invoice.get("id", "")),
        "subtotal": subtotal,
        "subtotal_excluding_tax": total - taxed,
        "total": total,
        "total_excluding_tax": total - taxed,
        "total_discount_amounts": [],
        "total_pretax_credit_amounts": [],
        "total_taxes": told,
        "amount_due": due,
        "amount_remaining": due - invoice["amount_paid"],
    }


def create(store: Store, made: Object) -> Object:
    """Keeps a draft."""
    invoice = store.create("invoice", "in", made)
    invoice["lines"] = listed(invoice["lines"]["data"], invoice["id"])
    store.save(invoice)
    store.emit("invoice.created", invoice)
    if invoice["auto_advance"]:
        store.schedule("finalize", invoice["id"], invoice["created"] + DRAFT_S)
    return invoice


def of_subscription(
    store: Store, subscription: Object, found: list[Object], period: tuple[int, int], reason: str, **more: Any
) -> Object:
    """A draft of a subscription's lines, and of what waits to be on its next invoice. Kept."""
    customer = store.get("customer", subscription["customer"])
    waiting = pending(store, customer["id"], subscription["id"])
    details = {
        "metadata": subscription["metadata"],
        "subscription": subscription["id"],
        "subscription_proration_date": None,
    }
    invoice = create(
        store,
        body(
            store,
            customer,
            [*found, *map(lines.of_invoice_item, waiting)],
            reason=reason,
            period=period,
            automatic_tax=tax_setting(subscription["automatic_tax"]["enabled"]),
            parent={"type": "subscription_details", "quote_details": None, "subscription_details": details},
            default_payment_method=subscription["default_payment_method"],
            automatically_finalizes_at=store.now() + DRAFT_S,
            **more,
        ),
    )
    claim(store, waiting, invoice)
    return invoice


def pending(store: Store, customer: str, subscription: str | None) -> list[Object]:
    """Invoice items that wait for the next invoice of the customer (of this subscription, or of none), oldest first."""
    return [
        item
        for item in store.all("invoiceitem", customer)[::-1]
        if item["invoice"] is None and item["sandbox_subscription"] in (None, subscription)
    ]


def claim(store: Store, items: list[Object], invoice: Object) -> None:
    """The items are on this invoice."""
    for item in items:
        store.save({**item, "invoice": invoice["id"]})


def subscription_of(invoice: Object) -> str | None:
    """The id of the subscription that the invoice is of."""
    details = (invoice["parent"] or {}).get("subscription_details")
    return details["subscription"] if details else None


def finalize(store: Store, invoice: Object) -> Object:
    """Open, with a number, the usage that came in the meantime, and the customer's balance taken into account."""
    customer = store.get("customer", invoice["customer"])
    id = subscription_of(invoice)
    if id:
        found = lines.refresh(store, store.get("subscription", id), invoice["lines"]["data"])
        invoice = {**invoice, "lines": listed(found, invoice["id"])}
    invoice = summed(store, customer, {**invoice, "starting_balance": customer["balance"]})
    # What is too little to charge, or a credit, waits for the next invoice.
    left = invoice["total"] + invoice["starting_balance"] - invoice["amount_due"]
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
    customer |= {"balance": left, "next_invoice_sequence": customer["next_invoice_sequence"] + 1}
    store.save(customer)
    now = store.now()
    url = f"{store.base}/i/{invoice['id']}"
    invoice |= {
        "status": "open",
        "number": number,
        "ending_balance": left,
        "effective_at": now,
        "automatically_finalizes_at": None,
        "hosted_invoice_url": url,
        "invoice_pdf": f"{url}/pdf",
        "status_transitions": {**invoice["status_transitions"], "finalized_at": now},
    }
    store.save(invoice)
    store.emit("invoice.finalized", invoice)
    return invoice
