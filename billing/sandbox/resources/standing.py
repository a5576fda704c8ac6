"""What becomes of a subscription when its invoices are paid, or not."""

from __future__ import annotations

from billing.sandbox.resources import drafts
from billing.sandbox.store import Object, Store


def stand(store: Store, subscription: Object, status: str) -> Object:
    """The subscription in that state."""
    if subscription["status"] != status:
        subscription["status"] = status
        store.emit("customer.subscription.updated", store.save(subscription))
    return subscription


def end(store: Store, subscription: Object, reason: str = "cancellation_requested") -> Object:
    """Ends it now."""
    now = store.now()
    details = {**subscription["cancellation_details"], "reason": reason}
    subscription |= {
        "status": "canceled",
        "canceled_at": subscription["canceled_at"] or now,
        "ended_at": now,
        "cancellation_details": details,
    }
    store.save(subscription)
    store.emit("customer.subscription.deleted", subscription)
    return subscription


def cleared(store: Store, invoice: Object) -> None:
    """An invoice is no longer open: its subscription is active again when no other is."""
    id = drafts.subscription_of(invoice)
    if not id:
        return
    subscription = store.get("subscription", id)
    owing = [
        i
        for i in store.all("invoice", invoice["customer"])
        if i["status"] == "open" and drafts.subscription_of(i) == id
    ]
    # A first invoice has to be paid: to void it activates nothing.
    waits = ("past_due", "unpaid", "incomplete") if invoice["status"] == "paid" else ("past_due", "unpaid")
    if subscription["status"] in waits and not owing:
        stand(store, subscription, "active")


def unpaid(store: Store, invoice: Object, given_up: bool) -> None:
    """A payment failed. When all attempts have: what the setting `after_retries` says (cancel, unpaid or past_due)."""
    id = drafts.subscription_of(invoice)
    if not id:
        return
    subscription = store.get("subscription", id)
    if subscription["status"] not in ("active", "past_due"):
        return
    after = store.setting("after_retries", "cancel")
    if not given_up or after == "past_due":
        stand(store, subscription, "past_due")
    elif after == "unpaid":
        stand(store, subscription, "unpaid")
    else:
        end(store, subscription, "payment_failed")
