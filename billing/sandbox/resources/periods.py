"""Months, and what a subscription's invoice has for them: usage of the month that ended, base fees of the next."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

from billing.sandbox.resources import drafts, lines, standing
from billing.sandbox.store import Object, Store

TELL_BEFORE_S = 7 * 86400
ENDED = ("canceled", "incomplete_expired")


def following(moment: int, anchor: int, price: Object) -> int:
    """When the period that begins at the moment ends: for months, on the anchor's day where the month has it."""
    recurring = price["recurring"] or {"interval": "month", "interval_count": 1}
    count, interval = int(recurring["interval_count"]), recurring["interval"]
    if interval in ("day", "week"):
        days = count * (7 if interval == "week" else 1)
        return int((datetime.fromtimestamp(moment, UTC) + timedelta(days=days)).timestamp())
    at, day = datetime.fromtimestamp(moment, UTC), datetime.fromtimestamp(anchor, UTC).day
    months = at.month - 1 + count * (12 if interval == "year" else 1)
    year, month = at.year + months // 12, months % 12 + 1
    last = calendar.monthrange(year, month)[1]
    return int(at.replace(year=year, month=month, day=min(day, last)).timestamp())


def of(subscription: Object) -> tuple[int, int]:
    """The running period, in seconds."""
    item = subscription["items"]["data"][0]
    return item["current_period_start"], item["current_period_end"]


def usage_lines(store: Store, subscription: Object, until: int) -> list[Object]:
    """The metered items' usage in the running period, up to a moment."""
    begin, _ = of(subscription)
    return [
        lines.of_item(store, subscription, item, item.get("sandbox_since") or begin, until)
        for item in subscription["items"]["data"]
        if lines.is_metered(item["price"])
    ]


def base_lines(store: Store, subscription: Object, start: int, end: int) -> list[Object]:
    """What the other items cost, in advance, from start to end."""
    items = subscription["items"]["data"]
    return [lines.of_item(store, subscription, i, start, end) for i in items if not lines.is_metered(i["price"])]


def next_lines(store: Store, subscription: Object) -> list[Object]:
    """What the invoice at the end of the running period will have."""
    _, end = of(subscription)
    found = usage_lines(store, subscription, end)
    if not subscription["cancel_at_period_end"]:
        after = following(end, subscription["billing_cycle_anchor"], subscription["items"]["data"][0]["price"])
        found += base_lines(store, subscription, end, after)
    return found


def turn(store: Store, id: str) -> None:
    """The period is over: an invoice for it, then the next period or the end."""
    subscription = store.find("subscription", id)
    if subscription is None or subscription["status"] in ENDED:
        return
    begin, end = of(subscription)
    if end > store.now():
        store.schedule("period", id, end)
        return
    found = next_lines(store, subscription)
    ends = subscription["cancel_at_period_end"]
    # Nobody is charged while a subscription is unpaid or its collection is paused.
    paused = subscription["pause_collection"]
    held = subscription["status"] == "unpaid" or (paused and paused["behavior"] == "keep_as_draft")
    invoice = drafts.of_subscription(
        store, subscription, found, (begin, end), "subscription_cycle",
        **collected_as(store, subscription), auto_advance=not held,
    )  # fmt: skip
    subscription["latest_invoice"] = invoice["id"]
    if ends:
        standing.end(store, subscription)
        return
    for one in subscription["items"]["data"]:
        one["current_period_start"] = end
        one["current_period_end"] = following(end, subscription["billing_cycle_anchor"], one["price"])
        one["sandbox_since"] = None
    store.save(subscription)
    store.emit("customer.subscription.updated", subscription)
    look_ahead(store, subscription)


def look_ahead(store: Store, subscription: Object) -> None:
    """Has the clock tell of the running period's invoice a week before, and turn at its end."""
    end = of(subscription)[1]
    store.schedule("upcoming", subscription["id"], max(end - TELL_BEFORE_S, store.now()))
    store.schedule("period", subscription["id"], end)


def collected_as(store: Store, subscription: Object) -> Object:
    """How the subscription's invoices are collected."""
    days = subscription["days_until_due"]
    due = store.now() + days * 86400 if days else None
    return {"collection_method": subscription["collection_method"], "due_date": due}
