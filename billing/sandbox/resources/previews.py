"""What the next invoice would say. A change is rehearsed, and undone."""

from __future__ import annotations

from billing.sandbox.errors import StripeError
from billing.sandbox.params import Params, takes, truth
from billing.sandbox.resources import drafts, lines, periods, proration, subscriptions
from billing.sandbox.store import Object, Store

DETAILS = (
    "cancel_now", "cancel_at_period_end", "proration_behavior", "proration_date", "items.id", "items.deleted",
    "items.clear_usage", *(f"items.{name}" for name in proration.ITEM),
)  # fmt: skip


@takes(
    "customer",
    "subscription",
    "preview_mode",
    "automatic_tax.enabled",
    "currency",
    *(f"subscription_details.{name}" for name in DETAILS),
)
def create(store: Store, given: Params) -> Object:
    """Of a subscription, with changes where `subscription_details` has them; of a new one; or of what waits."""
    if not given.get("subscription") and not given.get("customer"):
        raise StripeError("Missing required param: subscription.", "parameter_missing", "subscription")
    details = given.get("subscription_details", {})
    with store.rehearsal():
        if given.get("subscription"):
            return _of(store, given, details)
        customer = store.get("customer", given["customer"], 400, "customer")
        if details.get("items"):
            made = subscriptions.start(store, customer["id"], details["items"])
            return _preview(store.get("invoice", made["latest_invoice"]), made["id"])
        waiting = drafts.pending(store, customer["id"], None)
        if not waiting:
            raise StripeError("No upcoming invoices for customer", "invoice_upcoming_none", status=404)
        now = store.now()
        found = [lines.of_invoice_item(item) for item in waiting]
        return _preview(
            drafts.create(store, drafts.body(store, customer, found, reason="upcoming", period=(now, now))),
            customer["id"],
        )


def upcoming_due(store: Store, id: str) -> None:
    """A subscription's next invoice comes within a week."""
    subscription = store.get("subscription", id)
    if subscription["status"] in ("active", "past_due"):
        with store.rehearsal():
            told = _of(store, {"subscription": id}, {})
        store.emit("invoice.upcoming", told)


def _of(store: Store, given: Params, details: Params) -> Object:
    subscription = store.get("subscription", given["subscription"], 404, "subscription")
    if given.get("customer") not in (None, subscription["customer"]):
        raise StripeError("The subscription belongs to another customer.", param="customer")
    if subscription["status"] in periods.ENDED:
        raise StripeError("No upcoming invoices for customer", "invoice_upcoming_none", status=404)
    id = subscription["id"]
    if truth(details, "cancel_now"):
        prorate = str(details.get("proration_behavior", "create_prorations") != "none").lower()
        ended = subscriptions.cancel(store, {"invoice_now": "true", "prorate": prorate}, id)
        return _preview(store.get("invoice", ended["latest_invoice"]), id)
    changes = {name: value for name, value in details.items() if name != "cancel_now"}
    if changes:
        changed = subscriptions.update(store, changes, id)
        if (
            details.get("proration_behavior") == "always_invoice"
            and changed["latest_invoice"] != subscription["latest_invoice"]
        ):
            return _preview(store.get("invoice", changed["latest_invoice"]), id)
        subscription = changed
    found = periods.next_lines(store, subscription)
    with store.moment(periods.of(subscription)[1]):
        made = drafts.of_subscription(store, subscription, found, periods.of(subscription), "upcoming")
    return _preview(made, id)


def _preview(invoice: Object, of: str) -> Object:
    id = f"upcoming_in_{of.partition('_')[2]}"
    return {
        **invoice,
        "id": id,
        "status": "draft",
        "number": None,
        "amount_paid": 0,
        "amount_remaining": invoice["amount_due"],
        "lines": drafts.listed(invoice["lines"]["data"], id),
    }
