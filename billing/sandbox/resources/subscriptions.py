"""Subscriptions and their periods."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime

from billing.sandbox.errors import StripeError
from billing.sandbox.params import Params, accept, truth
from billing.sandbox.resources import invoices
from billing.sandbox.store import Object, Store


def month_after(moment: int, anchor: int) -> int:
    """A month later, on the anchor's day where the month has it."""
    at, day = datetime.fromtimestamp(moment, UTC), datetime.fromtimestamp(anchor, UTC).day
    year, month = (at.year + 1, 1) if at.month == 12 else (at.year, at.month + 1)
    last = calendar.monthrange(year, month)[1]
    return int(at.replace(year=year, month=month, day=min(day, last)).timestamp())


def start(store: Store, customer: str, items: list[Object], metadata: Object, method: str) -> Object:
    """An active subscription from now on, and its first invoice."""
    now = store.now()
    made = store.create(
        "subscription",
        "sub",
        {
            "customer": customer,
            "status": "active",
            "billing_cycle_anchor": now,
            "cancel_at_period_end": False,
            "cancel_at": None,
            "canceled_at": None,
            "ended_at": None,
            "collection_method": "charge_automatically",
            "currency": "usd",
            "default_payment_method": method,
            "metadata": metadata,
            "start_date": now,
            "latest_invoice": None,
        },
    )
    lines = [
        {
            "id": f"si_{made['id'][4:]}{at}",
            "object": "subscription_item",
            "created": now,
            "current_period_start": now,
            "current_period_end": month_after(now, now),
            "metadata": {},
            "price": store.get("price", item["price"]),
            "quantity": item["quantity"],
            "subscription": made["id"],
        }
        for at, item in enumerate(items)
    ]
    url = f"/v1/subscription_items?subscription={made['id']}"
    made["items"] = {"object": "list", "data": lines, "has_more": False, "url": url}
    store.save(made)
    store.emit("customer.subscription.created", made)
    first = invoices.draft(store, made, now, now, "subscription_create")
    made["latest_invoice"] = invoices.finish(store, first)["id"]
    return store.save(made)


def retrieve(store: Store, given: Params, id: str) -> Object:
    accept(given, ())
    return store.get("subscription", id)


def listed(store: Store, given: Params) -> list[Object]:
    accept(given, ("customer", "status", "limit", "starting_after", "price"))
    wanted = given.get("status")
    return [
        s
        for s in store.all("subscription", given.get("customer"))
        if wanted == "all" or s["status"] == wanted or (wanted is None and s["status"] != "canceled")
    ]


def update(store: Store, given: Params, id: str) -> Object:
    accept(given, ("cancel_at_period_end", "metadata", "default_payment_method", "proration_behavior"))
    subscription = store.get("subscription", id)
    if subscription["status"] == "canceled":
        raise StripeError("A canceled subscription can only update its cancellation_details.", status=400)
    if "cancel_at_period_end" in given:
        ends = truth(given, "cancel_at_period_end")
        end = subscription["items"]["data"][0]["current_period_end"]
        subscription |= {"cancel_at_period_end": ends, "cancel_at": end if ends else None}
    subscription["metadata"] |= given.get("metadata", {})
    store.save(subscription)
    store.emit("customer.subscription.updated", subscription)
    return subscription


def cancel(store: Store, given: Params, id: str) -> Object:
    accept(given, ("invoice_now", "prorate", "cancellation_details"))
    subscription = store.get("subscription", id)
    if subscription["status"] == "canceled":
        raise StripeError(f"No such subscription: '{id}'", "resource_missing", "id", 404)
    if truth(given, "invoice_now"):
        begin = subscription["items"]["data"][0]["current_period_start"]
        invoices.finish(store, invoices.draft(store, subscription, begin, store.now(), "subscription_update"))
    return end(store, subscription)


def end(store: Store, subscription: Object) -> Object:
    """Ends it now."""
    now = store.now()
    subscription |= {"status": "canceled", "canceled_at": now, "ended_at": now}
    store.save(subscription)
    store.emit("customer.subscription.deleted", subscription)
    return subscription


def turn(store: Store) -> None:
    """Periods that are over: an invoice for each, then the next period or the end. Drafts an hour old are made final."""
    now = store.now()
    for subscription in store.all("subscription"):
        while subscription["status"] == "active":
            item = subscription["items"]["data"][0]
            begin, finish = item["current_period_start"], item["current_period_end"]
            if finish > now:
                break
            invoices.draft(store, subscription, begin, finish, "subscription_cycle", created=finish)
            if subscription["cancel_at_period_end"]:
                end(store, subscription)
                break
            for one in subscription["items"]["data"]:
                one["current_period_start"] = finish
                one["current_period_end"] = month_after(finish, subscription["billing_cycle_anchor"])
            store.save(subscription)
            store.emit("customer.subscription.updated", subscription)
    for invoice in store.all("invoice"):
        if invoice["status"] == "draft" and invoice["created"] + invoices.DRAFT_S <= now:
            invoices.finish(store, invoice)
