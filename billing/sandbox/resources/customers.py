"""Customers and their payment methods."""

from __future__ import annotations

from billing.sandbox.params import Params, accept
from billing.sandbox.store import Object, Store

KNOWN = ("email", "name", "description", "metadata", "phone", "address", "preferred_locales", "tax_exempt")


def create(store: Store, given: Params) -> Object:
    accept(given, KNOWN)
    made = store.create("customer", "cus", _body(given))
    store.emit("customer.created", made)
    return made


def retrieve(store: Store, given: Params, id: str) -> Object:
    accept(given, ())
    return store.get("customer", id)


def update(store: Store, given: Params, id: str) -> Object:
    accept(given, KNOWN)
    customer = store.get("customer", id)
    metadata = {**customer["metadata"], **given.pop("metadata", {})}
    return store.save({**customer, **given, "metadata": metadata})


def listed(store: Store, given: Params) -> list[Object]:
    accept(given, ("email", "limit", "starting_after", "ending_before", "created"))
    return [c for c in store.all("customer") if not given.get("email") or c["email"] == given["email"]]


def _body(given: Params) -> Object:
    empty = {"email": None, "name": None, "description": None, "phone": None, "address": None}
    return {
        **empty,
        "metadata": {},
        "currency": None,
        "balance": 0,
        "invoice_settings": {"default_payment_method": None},
        **given,
    }
