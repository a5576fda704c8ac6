"""Subscriptions: started, changed, paused, ended. Their periods turn in periods.py."""

from __future__ import annotations

from typing import Any

from billing.sandbox.errors import StripeError
from billing.sandbox.params import LIST, Params, days, merged, moment, takes, truth
from billing.sandbox.resources import collection, drafts, methods, periods, proration, standing, taxes
from billing.sandbox.store import Object, Store

PRORATIONS = ("create_prorations", "always_invoice", "none")


def start(store: Store, customer: str, items: list[Params], **more: Any) -> Object:
    """A subscription from now on, with its first invoice as a draft."""
    now = store.now()
    blank = (
        "application", "application_fee_percent", "billing_cycle_anchor_config", "billing_thresholds", "cancel_at",
        "canceled_at", "customer_account", "days_until_due", "default_payment_method", "default_source", "description", "ended_at",
        "latest_invoice", "next_pending_invoice_item_invoice", "on_behalf_of", "pause_collection",
        "pending_invoice_item_interval", "pending_setup_intent", "pending_update", "schedule", "status_details", "test_clock",
        "transfer_data", "trial_end", "trial_start",
    )  # fmt: skip
    body = {
        **dict.fromkeys(blank),
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": now,
        "billing_mode": {"type": "flexible", "flexible": {"proration_discounts": "included"}},
        "billing_schedules": [],
        "cancel_at_period_end": False,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "currency": "usd",
        "customer": customer,
        "default_tax_rates": [],
        "discounts": [],
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "metadata": {},
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "start_date": now,
        "status": "incomplete",
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        **more,
    }
    made = store.create("subscription", "sub", body)
    found = [proration.item(store, made["id"], one, now, now, f"items[{at}]") for at, one in enumerate(items)]
    for one in found:
        one["current_period_end"] = periods.following(now, now, one["price"])
        store.save(one)
    url = f"/v1/subscription_items?subscription={made['id']}"
    made["items"] = {"object": "list", "data": found, "has_more": False, "url": url}
    first, last = periods.of(made)
    lines = [*periods.base_lines(store, made, first, last), *periods.usage_lines(store, made, first)]
    store.save(made)
    invoice = drafts.of_subscription(
        store, made, lines, (now, now), "subscription_create", **periods.collected_as(store, made)
    )
    made = store.save({**made, "latest_invoice": invoice["id"]})
    store.emit("customer.subscription.created", made)
    periods.look_ahead(store, made)
    return made


def begin(store: Store, subscription: Object) -> Object:
    """Collects the first invoice: active when it is paid or will be sent, incomplete until then."""
    invoice = store.get("invoice", subscription["latest_invoice"])
    collection.finish(store, invoice)
    subscription = store.get("subscription", subscription["id"])
    if subscription["collection_method"] == "send_invoice":
        subscription = standing.stand(store, subscription, "active")
    if subscription["status"] == "incomplete":
        store.schedule("incomplete", subscription["id"], store.now() + 23 * 3600)
    return subscription


def give_up(store: Store, id: str) -> None:
    """The first invoice was not paid within 23 hours."""
    subscription = store.get("subscription", id)
    if subscription["status"] == "incomplete":
        collection.close(store, store.get("invoice", subscription["latest_invoice"]), "void")
        standing.stand(store, subscription, "incomplete_expired")


@takes("default_payment_method", "metadata", "description", "collection_method", "days_until_due", "payment_behavior",
       "off_session", "automatic_tax.enabled", "proration_behavior", "currency",
       *(f"items.{name}" for name in proration.ITEM), required=("customer", "items"))  # fmt: skip
def create(store: Store, given: Params) -> Object:
    customer = store.get("customer", given["customer"], 400, "customer")
    more: Params = {name: given[name] for name in ("metadata", "description", "collection_method") if name in given}
    if truth(given.get("automatic_tax", {}), "enabled"):
        taxes.require_location(customer)
        more["automatic_tax"] = {"disabled_reason": None, "enabled": True, "liability": {"type": "self"}}
    method = given.get("default_payment_method")
    if method:
        more["default_payment_method"] = methods.keep(store, methods.resolve(store, method), customer["id"])["id"]
    elif (
        not customer["invoice_settings"]["default_payment_method"]
        and given.get("collection_method") != "send_invoice"
        and given.get("payment_behavior") != "default_incomplete"
    ):
        raise StripeError(
            "This customer has no attached payment source or default payment method. Please consider adding a default payment method.",
            "resource_missing",
        )
    if "days_until_due" in given:
        more["days_until_due"] = days(given, "days_until_due")
    behavior = given.get("payment_behavior", "allow_incomplete")
    subscription = start(store, customer["id"], given["items"], **more)
    if behavior == "default_incomplete":
        invoice = store.get("invoice", subscription["latest_invoice"])
        collection.finish(store, {**invoice, "auto_advance": False})
        return store.get("subscription", subscription["id"])
    subscription = begin(store, subscription)
    if behavior == "error_if_incomplete":
        _require_paid(store, subscription)
    return subscription


def _require_paid(store: Store, subscription: Object) -> None:
    """Raises StripeError (402) if the latest invoice is not paid; unlike a CardError it undoes everything."""
    invoice = store.get("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        intent = collection.payment_of(store, invoice)
        told = (intent and intent["last_payment_error"]) or {}
        raise StripeError(
            told.get("message", "Payment for this subscription requires additional user action."),
            told.get("code", "subscription_payment_intent_requires_action"),
            status=402,
            kind="card_error",
        )


@takes()
def retrieve(store: Store, given: Params, id: str) -> Object:
    return store.get("subscription", id)


@takes("customer", "status", "price", "collection_method", *LIST)
def listed(store: Store, given: Params) -> list[Object]:
    wanted = given.get("status")
    return [
        s
        for s in store.all("subscription", given.get("customer"))
        if wanted == "all" or s["status"] == wanted or (wanted is None and s["status"] != "canceled")
        if given.get("price") is None or any(i["price"]["id"] == given["price"] for i in s["items"]["data"])
    ]


@takes("cancel_at_period_end", "cancel_at", "cancellation_details", "metadata", "default_payment_method", "description",
       "proration_behavior", "proration_date", "payment_behavior", "billing_cycle_anchor", "off_session", "collection_method",
       "days_until_due", "automatic_tax.enabled", "pause_collection.behavior", "pause_collection.resumes_at",
       "items.id", "items.deleted", "items.clear_usage", *(f"items.{name}" for name in proration.ITEM))  # fmt: skip
def update(store: Store, given: Params, id: str) -> Object:
    subscription = store.get("subscription", id)
    if subscription["status"] in periods.ENDED:
        raise StripeError("A canceled subscription can only update its cancellation_details and metadata.")
    if given.get("billing_cycle_anchor", "unchanged") != "unchanged":
        raise StripeError("The sandbox keeps the billing cycle's anchor.", param="billing_cycle_anchor")
    behavior = given.get("proration_behavior", "create_prorations")
    if behavior not in PRORATIONS:
        raise StripeError(
            f"Invalid proration_behavior: must be one of {', '.join(PRORATIONS)}", param="proration_behavior"
        )
    if given.get("items"):
        at = moment(given, "proration_date") if given.get("proration_date") else None
        subscription = proration.change(store, subscription, given["items"], behavior, at)
    if "cancel_at_period_end" in given:
        ends = truth(given, "cancel_at_period_end")
        end = periods.of(subscription)[1]
        subscription |= {
            "cancel_at_period_end": ends,
            "cancel_at": end if ends else None,
            "canceled_at": store.now() if ends else None,
        }
    if "cancel_at" in given:
        subscription["cancel_at"] = moment(given, "cancel_at") if given["cancel_at"] else None
        if subscription["cancel_at"]:
            store.schedule("cancel", id, subscription["cancel_at"])
    subscription |= _settings(store, subscription, given)
    store.save(subscription)
    if given.get("items") and behavior == "always_invoice":
        subscription = _invoice_now(store, subscription, [])
        if given.get("payment_behavior") == "error_if_incomplete":
            _require_paid(store, subscription)
    store.emit("customer.subscription.updated", subscription)
    return subscription


def _settings(store: Store, subscription: Object, given: Params) -> Params:
    found: Params = {"metadata": merged(subscription["metadata"], given)}
    if "pause_collection" in given:
        paused = given["pause_collection"] or None
        if paused and paused.get("behavior") not in ("keep_as_draft", "mark_uncollectible", "void"):
            raise StripeError("Invalid pause_collection[behavior]", param="pause_collection[behavior]")
        found["pause_collection"] = {"resumes_at": None, **paused} if paused else None
        if paused and paused.get("resumes_at"):
            found["pause_collection"]["resumes_at"] = moment(paused, "resumes_at")
            store.schedule("resume", subscription["id"], found["pause_collection"]["resumes_at"])
    if "default_payment_method" in given:
        named = given["default_payment_method"] or None
        if named:
            named = methods.keep(store, methods.resolve(store, named), subscription["customer"])["id"]
        found["default_payment_method"] = named
    if "automatic_tax" in given:
        found["automatic_tax"] = {**subscription["automatic_tax"], "enabled": truth(given["automatic_tax"], "enabled")}
    if "cancellation_details" in given:
        found["cancellation_details"] = {
            **subscription["cancellation_details"],
            **(given["cancellation_details"] or {}),
        }
    found |= {name: given[name] for name in ("description", "collection_method") if name in given}
    if "days_until_due" in given:
        found["days_until_due"] = days(given, "days_until_due")
    return found


def resume_due(store: Store, id: str) -> None:
    """The pause ends."""
    subscription = store.get("subscription", id)
    if subscription["pause_collection"] and (subscription["pause_collection"]["resumes_at"] or 0) <= store.now():
        store.emit("customer.subscription.updated", store.save({**subscription, "pause_collection": None}))


def cancel_due(store: Store, id: str) -> None:
    """The day set by cancel_at: ends, with an invoice of what was used."""
    subscription = store.get("subscription", id)
    if (
        subscription["status"] not in periods.ENDED
        and subscription["cancel_at"] == store.now()
        and not subscription["cancel_at_period_end"]
    ):
        cancel(store, {"invoice_now": "true"}, id)


@takes("invoice_now", "prorate", "cancellation_details")
def cancel(store: Store, given: Params, id: str) -> Object:
    subscription = store.get("subscription", id)
    if subscription["status"] in periods.ENDED:
        raise StripeError(f"No such subscription: '{id}'", "resource_missing", "id", 404)
    now = store.now()
    if truth(given, "prorate"):
        for item in subscription["items"]["data"]:
            if item["quantity"] is not None:
                proration.prorate(store, subscription, item, now, -1)
    if truth(given, "invoice_now"):
        subscription = _invoice_now(store, subscription, periods.usage_lines(store, subscription, now))
    return standing.end(store, subscription)


def _invoice_now(store: Store, subscription: Object, lines: list[Object]) -> Object:
    begin, _ = periods.of(subscription)
    if not lines and not drafts.pending(store, subscription["customer"], subscription["id"]):
        return subscription
    invoice = drafts.of_subscription(
        store,
        subscription,
        lines,
        (begin, store.now()),
        "subscription_update",
        **periods.collected_as(store, subscription),
    )
    store.save({**subscription, "latest_invoice": invoice["id"]})
    collection.finish(store, invoice)
    return store.get("subscription", subscription["id"])
