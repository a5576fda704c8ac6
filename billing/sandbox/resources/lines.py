"""The lines of invoices, each in whole cents."""

from __future__ import annotations

import secrets
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from billing.sandbox.resources import meters
from billing.sandbox.store import Object, Store


def blank() -> Object:
    """What every line says that has nothing special about it."""
    return {
        "object": "line_item",
        "currency": "usd",
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "subscription": None,
        "taxes": [],
    }


def _line(amount: int, description: str, start: int, end: int, **more: Any) -> Object:
    about = {"amount": amount, "subtotal": amount, "description": description, "period": {"start": start, "end": end}}
    return {"id": f"il_{secrets.token_hex(12)}", **blank(), **about, **more}


def cost(price: Object, quantity: int) -> int:
    """quantity × unit amount, rounded half up to whole cents."""
    return int((Decimal(price["unit_amount_decimal"]) * quantity).quantize(Decimal(1), ROUND_HALF_UP))


def pricing(price: Object) -> Object:
    """How a line says what it was priced with."""
    return {
        "type": "price_details",
        "price_details": {"price": price["id"], "product": price["product"]},
        "unit_amount_decimal": price["unit_amount_decimal"],
    }


def is_metered(price: Object) -> bool:
    """Is it billed by usage, after the period?"""
    return bool((price["recurring"] or {}).get("meter"))


def of_item(store: Store, subscription: Object, item: Object, start: int, end: int) -> Object:
    """What an item of a subscription costs from start to end: of a metered one the usage, of another its quantity."""
    price = item["price"]
    product = store.get("product", price["product"])
    metered = is_metered(price)
    if metered:
        event_name = store.get("billing.meter", price["recurring"]["meter"])["event_name"]
        quantity = meters.used(store, event_name, subscription["customer"], start, end)
    else:
        quantity = int(item["quantity"] or 1)
    details = {
        "invoice_item": None,
        "proration": False,
        "proration_details": {"credited_items": None},
        "subscription": subscription["id"],
        "subscription_item": item["id"],
    }
    return _line(
        cost(price, quantity),
        f"{quantity} × {product['name']}",
        start,
        end,
        quantity=quantity,
        quantity_decimal=str(quantity),
        pricing=pricing(price),
        parent={
            "type": "subscription_item_details",
            "invoice_item_details": None,
            "subscription_item_details": details,
        },
        subscription=subscription["id"],
        metadata=subscription["metadata"],
        sandbox_tax_behavior=price["tax_behavior"],
        sandbox_metered=metered,
    )


def refresh(store: Store, subscription: Object, found: list[Object]) -> list[Object]:
    """The lines, those of metered items with the usage that came since; their ids stay."""
    fresh = []
    for line in found:
        if line["sandbox_metered"]:
            details = line["parent"]["subscription_item_details"]
            price = store.get("price", line["pricing"]["price_details"]["price"])
            item = {"id": details["subscription_item"], "price": price, "quantity": None}
            period = line["period"]
            again = of_item(store, subscription, item, period["start"], period["end"])
            line = {**again, "id": line["id"], "invoice": line["invoice"], "metadata": line["metadata"]}
        fresh.append(line)
    return fresh


def of_invoice_item(item: Object) -> Object:
    """An invoice item, on its invoice."""
    details = {
        "invoice_item": item["id"],
        "proration": item["proration"],
        "proration_details": {"credited_items": None} if item["proration"] else None,
        "subscription": item["sandbox_subscription"],
    }
    return _line(
        item["amount"],
        item["description"] or "",
        item["period"]["start"],
        item["period"]["end"],
        quantity=item["quantity"],
        quantity_decimal=item["quantity_decimal"],
        pricing=item["pricing"],
        parent={"type": "invoice_item_details", "invoice_item_details": details, "subscription_item_details": None},
        metadata=item["metadata"],
        sandbox_tax_behavior=item["sandbox_tax_behavior"],
        sandbox_metered=False,
    )
