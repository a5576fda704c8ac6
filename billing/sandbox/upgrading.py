"""Brings a file that an older version wrote up to date: its objects get the fields that they lack."""

from __future__ import annotations

from typing import Any

from billing.sandbox.resources import (
    cards,
    catalog,
    checkout,
    customers,
    drafts,
    lines,
    methods,
    periods,
    subscriptions,
)
from billing.sandbox.store import Object, Store

VERSION = "2"


def upgrade(store: Store) -> None:
    """Once a file. What a field is where nobody set it, an object that is made for it and undone says."""
    if store.setting("version") == VERSION:
        return
    with store.transaction():
        with store.rehearsal():
            blank = _templates(store)
        for kind, template in blank.items():
            for old in store.all(kind):
                store.save(_like(template, old))
        _customers(store)
        _subscriptions(store, blank)
        _invoices(store)
        # Its items were kept in another way: who has such a page open begins again.
        for session in store.all("checkout.session"):
            if session["status"] == "open":
                store.save({**session, "status": "expired", "url": None, "sandbox_items": []})
        store.set("version", VERSION)


def _templates(store: Store) -> dict[str, Object]:
    customer = customers.create(store, {})
    product = catalog.create_product(store, {"name": "-"})
    price = catalog.make_price(
        store, {"product": product["id"], "unit_amount": "100", "recurring": {"interval": "month"}}
    )
    subscription = subscriptions.start(store, customer["id"], [{"price": price["id"], "quantity": "1"}])
    return {
        "customer": customer,
        "product": product,
        "price": price,
        "payment_method": methods.make(store, cards.CARDS["4242424242424242"]),
        "checkout.session": checkout.create(store, {"mode": "setup", "success_url": "-"}),
        "subscription": subscription,
        "invoice": store.get("invoice", subscription["latest_invoice"]),
    }


def _like(template: Any, old: Any) -> Any:
    """`old` with what only the template has, all the way down; lists stay as they are."""
    if not isinstance(template, dict) or not isinstance(old, dict):
        return old
    return {**template, **{name: _like(template.get(name), value) for name, value in old.items()}}


def _customers(store: Store) -> None:
    by_last = {number[-4:]: number for number in cards.CARDS}
    for method in store.all("payment_method"):
        number = by_last.get(method["card"]["last4"], method["sandbox_card"])
        store.save({**method, "sandbox_card": number})
    for customer in store.all("customer"):
        store.save({**customer, "invoice_prefix": customer["id"][-8:].upper()})


def _subscriptions(store: Store, blank: dict[str, Object]) -> None:
    template = blank["subscription"]["items"]["data"][0]
    for subscription in store.all("subscription"):
        for item in subscription["items"]["data"]:
            item |= _like(template, item)
            item["plan"] = catalog.plan(item["price"])
        store.save(subscription)
        if subscription["status"] not in periods.ENDED:
            periods.look_ahead(store, subscription)


def _invoices(store: Store) -> None:
    template = lines.blank()
    for invoice in store.all("invoice"):
        for line in invoice["lines"]["data"]:
            price = store.get("price", line["pricing"]["price_details"]["price"])
            told = {"sandbox_metered": lines.is_metered(price), "sandbox_tax_behavior": price["tax_behavior"]}
            line |= {**template, **line, **told, "subtotal": line["amount"], "quantity_decimal": str(line["quantity"])}
            line["parent"]["subscription_item_details"] |= {"proration": False}
        invoice["lines"] = drafts.listed(invoice["lines"]["data"], invoice["id"])
        if invoice["status"] == "draft":
            store.schedule("finalize", invoice["id"], invoice["created"] + drafts.DRAFT_S)
        else:
            url = f"{store.base}/i/{invoice['id']}"
            moments = {**invoice["status_transitions"], "finalized_at": invoice["created"]}
            invoice |= {"hosted_invoice_url": url, "invoice_pdf": f"{url}/pdf", "status_transitions": moments}
        store.save(invoice)
