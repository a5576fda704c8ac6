"""`expand`: ids in an answer become the objects that they name."""

from __future__ import annotations

from collections.abc import Callable
from operator import ge, gt, le, lt
from typing import Any

from billing.sandbox.errors import StripeError
from billing.sandbox.params import Params, whole
from billing.sandbox.store import Store


def expand(store: Store, answer: Any, paths: list[str]) -> Any:
    """The answer with the objects at the dotted paths, each in place of its id."""
    for path in paths:
        answer = _along(store, answer, path.split("."))
    return answer


def _along(store: Store, value: Any, parts: list[str]) -> Any:
    if isinstance(value, list):
        return [_along(store, one, parts) for one in value]
    if isinstance(value, str):
        value = store.known(value) or value
    if not isinstance(value, dict) or not parts:
        return value
    name, below = parts[0], parts[1:]
    if name not in value and name in _INCLUDED:
        value = {**value, name: _INCLUDED[name](store, value)}
    if name not in value:
        return value
    return {**value, name: _along(store, value[name], below)}


def _payments(store: Store, invoice: Params) -> Params:
    found = [p for p in store.all("invoice_payment", invoice["customer"]) if p["invoice"] == invoice["id"]]
    return _list(f"/v1/invoice_payments?invoice={invoice['id']}", found)


def _refunds(store: Store, charge: Params) -> Params:
    found = [r for r in store.all("refund", charge["customer"]) if r["charge"] == charge["id"]]
    return _list(f"/v1/charges/{charge['id']}/refunds", found)


def _line_items(store: Store, session: Params) -> Params:
    return _list(f"/v1/checkout/sessions/{session['id']}/line_items", session.get("sandbox_items", []))


def _tax_ids(store: Store, customer: Params) -> Params:
    return _list(f"/v1/customers/{customer['id']}/tax_ids", store.all("tax_id", customer["id"]))


def _subscriptions(store: Store, customer: Params) -> Params:
    found = [s for s in store.all("subscription", customer["id"]) if s["status"] != "canceled"]
    return _list("/v1/subscriptions", found)


# What an object has only where it is asked for.
_INCLUDED = {
    "payments": _payments,
    "refunds": _refunds,
    "line_items": _line_items,
    "tax_ids": _tax_ids,
    "subscriptions": _subscriptions,
}


def _list(url: str, found: list[Any]) -> Params:
    return {"object": "list", "data": found, "has_more": False, "url": url}


def paged(found: list[Any], given: Params) -> tuple[list[Any], bool]:
    """The page that limit, starting_after, ending_before and created ask for, and whether there is more."""
    created = given.get("created") or {}
    bounds = created if isinstance(created, dict) else {"gte": created, "lte": created}
    for name in bounds:
        if name not in _BOUNDS:
            raise StripeError(f"Received unknown parameter: created[{name}]", "parameter_unknown", f"created[{name}]")
        limit, keeps = whole(bounds, name), _BOUNDS[name]
        found = [one for one in found if keeps(one.get("created", one.get("date", 0)), limit)]
    size = min(max(whole(given, "limit", 10), 1), 100)
    ids = [one["id"] for one in found]
    after, before = given.get("starting_after"), given.get("ending_before")
    if before in ids:
        end = ids.index(before)
        return found[max(end - size, 0) : end], end > size
    begin = ids.index(after) + 1 if after in ids else 0
    return found[begin : begin + size], len(found) > begin + size


_BOUNDS: dict[str, Callable[[int, int], bool]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
