"""Which address does what."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from billing.sandbox.params import Params, accept
from billing.sandbox.resources import catalog, checkout, customers, invoices, meters, subscriptions, thin
from billing.sandbox.store import Object, Store

Act = Callable[..., Any]
ACCOUNT = "acct_sandbox00000000"


def _account(store: Store, given: Params) -> Object:
    return {"id": ACCOUNT, "object": "account", "country": "US", "default_currency": "usd", "charges_enabled": True}


def _event(store: Store, given: Params, id: str) -> Object:
    accept(given, ())
    return store.get("event", id)


def _events(store: Store, given: Params) -> list[Object]:
    accept(given, ("type", "created", "limit", "starting_after"))
    return [e for e in store.all("event") if given.get("type") in (None, e["type"])]


def _finalize(store: Store, given: Params, id: str) -> Object:
    return invoices.finish(store, store.get("invoice", id))


# Acts that give a list are paged by the server; those of `based` are told the sandbox's own address.
_TABLE: list[tuple[str, str, Act]] = [
    ("GET", "/v1/account", _account),
    ("POST", "/v1/customers", customers.create),
    ("GET", "/v1/customers", customers.listed),
    ("GET", "/v1/customers/{id}", customers.retrieve),
    ("POST", "/v1/customers/{id}", customers.update),
    ("POST", "/v1/products", catalog.create_product),
    ("GET", "/v1/products", catalog.products),
    ("GET", "/v1/products/{id}", catalog.retrieve_product),
    ("POST", "/v1/prices", catalog.create_price),
    ("GET", "/v1/prices", catalog.prices),
    ("GET", "/v1/prices/{id}", catalog.retrieve_price),
    ("POST", "/v1/billing/meters", meters.create),
    ("GET", "/v1/billing/meters", meters.listed),
    ("GET", "/v1/billing/meters/{id}", meters.retrieve),
    ("GET", "/v1/billing/meters/{id}/event_summaries", meters.summaries),
    ("POST", "/v1/billing/meter_events", meters.record),
    ("POST", "/v1/billing/meter_event_adjustments", meters.adjust),
    ("POST", "/v1/checkout/sessions", checkout.create),
    ("GET", "/v1/checkout/sessions/{id}", checkout.retrieve),
    ("POST", "/v1/checkout/sessions/{id}/expire", checkout.expire),
    ("POST", "/v1/billing_portal/sessions", checkout.create_portal),
    ("GET", "/v1/subscriptions", subscriptions.listed),
    ("GET", "/v1/subscriptions/{id}", subscriptions.retrieve),
    ("POST", "/v1/subscriptions/{id}", subscriptions.update),
    ("DELETE", "/v1/subscriptions/{id}", subscriptions.cancel),
    ("GET", "/v1/invoices", invoices.listed),
    ("POST", "/v1/invoices/create_preview", invoices.preview),
    ("GET", "/v1/invoices/{id}", invoices.retrieve),
    ("POST", "/v1/invoices/{id}/finalize", _finalize),
    ("GET", "/v1/events", _events),
    ("GET", "/v1/events/{id}", _event),
    ("GET", "/v2/core/events/{id}", thin.retrieve),
]
ROUTES = [
    (method, re.compile(f"^{pattern.replace('{id}', '([A-Za-z0-9_]+)')}$"), act) for method, pattern, act in _TABLE
]
BASED: set[Act] = {checkout.create, checkout.create_portal}
