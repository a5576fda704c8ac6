"""Customers: where they are, their tax ids, and the card that they pay with by default."""

from __future__ import annotations

from typing import Any

from billing.sandbox.errors import StripeError
from billing.sandbox.params import LIST, PAGE, Params, merged, takes, whole
from billing.sandbox.resources import standing
from billing.sandbox.store import Object, Store

KNOWN = (
    "email", "name", "description", "metadata", "phone", "preferred_locales", "tax_exempt", "invoice_prefix",
    "address.line1", "address.line2", "address.city", "address.state", "address.postal_code", "address.country",
    "shipping", "tax.validate_location", "tax.ip_address",
)  # fmt: skip
MOST_METADATA = 50
ADDRESS: dict[str, Any] = dict.fromkeys(("line1", "line2", "city", "state", "postal_code", "country"))


@takes(*KNOWN, "invoice_settings.default_payment_method", "tax_id_data.type", "tax_id_data.value")
def create(store: Store, given: Params) -> Object:
    tax_ids = given.pop("tax_id_data", [])
    empty = dict.fromkeys(
        ("email", "name", "description", "phone", "address", "shipping", "default_source", "discount")
    )
    body: Object = {
        **empty,
        "balance": 0,
        "currency": None,
        "delinquent": False,
        "invoice_prefix": None,
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "metadata": {},
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "tax_exempt": "none",
        "test_clock": None,
    }
    made = store.create("customer", "cus", body)
    made["invoice_prefix"] = made["id"][-8:].upper()
    made = store.save(_changed(store, made, given))
    store.emit("customer.created", made)
    for one in tax_ids:
        add_tax_id(store, one, made["id"])
    return made


@takes()
def retrieve(store: Store, given: Params, id: str) -> Object:
    found = store.get("customer", id)
    return {"id": id, "object": "customer", "deleted": True} if found.get("deleted") else found


@takes(*KNOWN, "invoice_settings.default_payment_method", "balance")
def update(store: Store, given: Params, id: str) -> Object:
    customer = store.save(_changed(store, store.get("customer", id), given))
    store.emit("customer.updated", customer)
    return customer


def _changed(store: Store, customer: Object, given: Params) -> Object:
    customer["metadata"] = merged(customer["metadata"], given)
    if len(customer["metadata"]) > MOST_METADATA:
        raise StripeError("Metadata can have up to 50 keys.", param="metadata")
    given = {name: value for name, value in given.items() if name not in ("expand", "tax", "metadata")}
    settings = given.pop("invoice_settings", {})
    if "default_payment_method" in settings:
        named = settings["default_payment_method"] or None
        if named and store.get("payment_method", named, 400)["customer"] != customer["id"]:
            raise StripeError(
                "The customer does not have a payment method with that ID: attach it first.",
                "resource_missing",
                "invoice_settings[default_payment_method]",
            )
        customer["invoice_settings"]["default_payment_method"] = named
    if "address" in given:
        address = given.pop("address")
        customer["address"] = {**ADDRESS, **address} if address else None
    if "balance" in given:
        given["balance"] = whole(given, "balance")
    return {**customer, **{name: None if value == "" else value for name, value in given.items()}}


@takes()
def delete(store: Store, given: Params, id: str) -> Object:
    """For good: its subscriptions end at once, without an invoice; its invoices stay."""
    customer = store.get("customer", id)
    for subscription in store.all("subscription", id):
        if subscription["status"] not in ("canceled", "incomplete_expired"):
            standing.end(store, subscription)
    store.emit("customer.deleted", customer)
    store.save({**customer, "deleted": True})
    return {"id": id, "object": "customer", "deleted": True}


@takes("email", *LIST)
def listed(store: Store, given: Params) -> list[Object]:
    known = [c for c in store.all("customer") if not c.get("deleted")]
    return [c for c in known if not given.get("email") or c["email"] == given["email"]]


@takes(required=("type", "value"))
def add_tax_id(store: Store, given: Params, id: str) -> Object:
    customer = store.get("customer", id)
    body = {
        "country": given["value"][:2].upper() if given["type"] == "eu_vat" else given["type"][:2].upper(),
        "customer": customer["id"],
        "customer_account": None,
        "owner": {"type": "customer", "customer": customer["id"]},
        "type": given["type"],
        "value": given["value"],
        "verification": {"status": "verified", "verified_address": None, "verified_name": None},
    }
    made = store.create("tax_id", "txi", body)
    store.emit("customer.tax_id.created", made)
    return made


@takes(*PAGE)
def tax_ids(store: Store, given: Params, id: str) -> list[Object]:
    store.get("customer", id)
    return store.all("tax_id", id)


@takes()
def remove_tax_id(store: Store, given: Params, id: str, tax_id: str) -> Object:
    found = store.get("tax_id", tax_id)
    if found["customer"] != id:
        raise StripeError(f"No such tax_id: '{tax_id}'", "resource_missing", status=404)
    store.sql("DELETE FROM objects WHERE id = ?", tax_id)
    store.emit("customer.tax_id.deleted", found)
    return {"id": tax_id, "object": "tax_id", "deleted": True}
