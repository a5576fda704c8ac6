"""Invoices: what a subscription's items cost in a period, in whole cents a line."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from billing.sandbox.errors import StripeError
from billing.sandbox.params import Params, accept
from billing.sandbox.resources import meters
from billing.sandbox.store import Object, Store

DRAFT_S = 3600  # late usage is still taken up


def lines(store: Store, subscription: Object, start: int, end: int) -> list[Object]:
    """One line an item: quantity × unit amount, rounded half up to whole cents."""
    made = []
    for item in subscription["items"]["data"]:
        price = item["price"]
        recurring = price["recurring"] or {}
        if recurring.get("meter"):
            meter = store.get("billing.meter", recurring["meter"])
            quantity = meters.used(store, meter["event_name"], subscription["customer"], start, end)
        else:
            quantity = int(item["quantity"] or 1)
        amount = (Decimal(price["unit_amount_decimal"]) * quantity).quantize(Decimal(1), ROUND_HALF_UP)
        product = store.get("product", price["product"])
        made.append(
            {
                "id": f"il_{item['id'][3:]}{start}",
                "object": "line_item",
                "amount": int(amount),
                "currency": "usd",
                "description": f"{quantity} × {product['name']}",
                "period": {"start": start, "end": end},
                "quantity": quantity,
                "pricing": {
                    "type": "price_details",
                    "price_details": {"price": price["id"], "product": price["product"]},
                    "unit_amount_decimal": price["unit_amount_decimal"],
                },
                "parent": {
                    "type": "subscription_item_details",
                    "subscription_item_details": {"subscription": subscription["id"], "subscription_item": item["id"]},
                },
                "metadata": {},
                "livemode": False,
            }
        )
    return made


def _body(store: Store, subscription: Object, start: int, end: int, reason: str) -> Object:
    found = lines(store, subscription, start, end)
    total = sum(line["amount"] for line in found)
    return {
        "customer": subscription["customer"],
        "currency": "usd",
        "status": "draft",
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "number": None,
        "period_start": start,
        "period_end": end,
        "subtotal": total,
        "total": total,
        "amount_due": total,
        "amount_paid": 0,
        "amount_remaining": total,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "metadata": {},
        "parent": {
            "type": "subscription_details",
            "subscription_details": {"subscription": subscription["id"], "metadata": subscription["metadata"]},
        },
        "lines": {"object": "list", "data": found, "has_more": False, "url": "/v1/invoices/lines"},
    }


def draft(store: Store, subscription: Object, start: int, end: int, reason: str, created: int | None = None) -> Object:
    """A draft for the period."""
    body = _body(store, subscription, start, end, reason)
    made = store.create("invoice", "in", {**body, **({"created": created} if created else {})})
    store.emit("invoice.created", made)
    return made


def finish(store: Store, invoice: Object) -> Object:
    """Makes a draft final with the usage that came in the meantime, and collects it."""
    details = invoice["parent"]["subscription_details"]
    subscription = store.get("subscription", details["subscription"])
    fresh = _body(store, subscription, invoice["period_start"], invoice["period_end"], invoice["billing_reason"])
    number = f"SANDBOX-{len(store.all('invoice')):04d}-{invoice['id'][-4:].upper()}"
    invoice = store.save({**invoice, **fresh, "status": "open", "number": number})
    store.emit("invoice.finalized", invoice)
    paid = {"status": "paid", "amount_paid": invoice["total"], "amount_remaining": 0, "amount_due": invoice["total"]}
    invoice = store.save({**invoice, **paid})
    store.emit("invoice.paid", invoice)
    return invoice


def retrieve(store: Store, given: Params, id: str) -> Object:
    accept(given, ())
    return store.get("invoice", id)


def listed(store: Store, given: Params) -> list[Object]:
    accept(given, ("customer", "subscription", "status", "limit", "starting_after"))
    return [
        i
        for i in store.all("invoice", given.get("customer"))
        if given.get("status") in (None, i["status"])
        and given.get("subscription") in (None, i["parent"]["subscription_details"]["subscription"])
    ]


def preview(store: Store, given: Params) -> Object:
    accept(given, ("customer", "subscription", "subscription_details", "preview_mode"))
    if not given.get("subscription"):
        raise StripeError("Missing required param: subscription.", "parameter_missing", "subscription")
    subscription = store.get("subscription", given["subscription"], 404, "subscription")
    if given.get("customer") not in (None, subscription["customer"]):
        raise StripeError("The subscription belongs to another customer.", param="customer")
    if subscription["status"] == "canceled":
        raise StripeError("No upcoming invoices for customer", "invoice_upcoming_none", status=404)
    item = subscription["items"]["data"][0]
    begin, end = item["current_period_start"], item["current_period_end"]
    return {
        "id": f"upcoming_in_{subscription['id'][4:]}",
        "object": "invoice",
        "created": end,
        "livemode": False,
        **_body(store, subscription, begin, end, "upcoming"),
    }
