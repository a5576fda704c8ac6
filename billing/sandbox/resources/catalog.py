"""Products and prices."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from billing.sandbox.errors import StripeError
from billing.sandbox.params import Params, accept
from billing.sandbox.store import Object, Store


def create_product(store: Store, given: Params) -> Object:
    accept(given, ("id", "description", "metadata", "active", "unit_label", "tax_code"), ("name",))
    own_id = given.pop("id", None)
    if own_id and store.find("product", own_id):
        raise StripeError("Product already exists.", "resource_already_exists", "id")
    made = {"active": True, "description": None, "metadata": {}, "unit_label": None, "default_price": None, **given}
    return store.create("product", "prod", {**made, **({"id": own_id} if own_id else {})})


def create_price(store: Store, given: Params) -> Object:
    accept(
        given,
        ("unit_amount", "unit_amount_decimal", "recurring.interval", "recurring.usage_type", "recurring.meter",
         "recurring.interval_count", "billing_scheme", "tax_behavior", "lookup_key", "transfer_lookup_key",
         "nickname", "metadata", "active"),
        ("currency", "product"),
    )  # fmt: skip
    store.get("product", given["product"], 400, "product")
    recurring = given.get("recurring")
    if recurring is not None:
        if recurring.get("usage_type") == "metered" and not recurring.get("meter"):
            raise StripeError(
                "As of version 2025-03-31.basil, metered prices must be backed by meters.", param="recurring[meter]"
            )
        if recurring.get("meter"):
            store.get("billing.meter", recurring["meter"], 400, "recurring[meter]")
        recurring = {"interval_count": 1, "usage_type": "licensed", "meter": None, **recurring}
    if given.get("lookup_key") and any(p["lookup_key"] == given["lookup_key"] for p in store.all("price")):
        raise StripeError(f"A price already uses the lookup key {given['lookup_key']}.", param="lookup_key")
    try:
        amount = Decimal(str(given.get("unit_amount_decimal", given.get("unit_amount", ""))))
    except InvalidOperation:
        raise StripeError("Invalid decimal.", "parameter_invalid", "unit_amount_decimal") from None
    if amount < 0 or amount != round(amount, 12):
        raise StripeError("At most 12 decimal places.", "parameter_invalid", "unit_amount_decimal")
    body = {
        "active": True,
        "billing_scheme": given.get("billing_scheme", "per_unit"),
        "currency": given["currency"],
        "lookup_key": given.get("lookup_key"),
        "metadata": given.get("metadata", {}),
        "nickname": given.get("nickname"),
        "product": given["product"],
        "recurring": recurring,
        "tax_behavior": given.get("tax_behavior", "unspecified"),
        "type": "recurring" if recurring else "one_time",
        "unit_amount": int(amount) if amount == int(amount) else None,
        "unit_amount_decimal": f"{amount:f}",
    }
    return store.create("price", "price", body)


def prices(store: Store, given: Params) -> list[Object]:
    accept(given, ("lookup_keys", "product", "active", "type", "currency", "limit", "starting_after"))
    keys = given.get("lookup_keys")
    return [
        p
        for p in store.all("price")
        if (not keys or p["lookup_key"] in keys) and given.get("product") in (None, p["product"])
    ]


def products(store: Store, given: Params) -> list[Object]:
    accept(given, ("active", "ids", "limit", "starting_after"))
    return [p for p in store.all("product") if not given.get("ids") or p["id"] in given["ids"]]


def retrieve_product(store: Store, given: Params, id: str) -> Object:
    accept(given, ())
    return store.get("product", id)


def retrieve_price(store: Store, given: Params, id: str) -> Object:
    accept(given, ())
    return store.get("price", id)
