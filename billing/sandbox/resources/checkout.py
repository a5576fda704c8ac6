"""Checkout and portal sessions; what paying on the hosted page does."""

from __future__ import annotations

import secrets

from billing.sandbox.errors import StripeError
from billing.sandbox.params import Params, accept
from billing.sandbox.resources import subscriptions
from billing.sandbox.store import Object, Store

EXPIRES_S = 24 * 3600
DECLINED = "4000000000000002"
KNOWN = (
    "customer", "customer_email", "client_reference_id", "cancel_url", "line_items", "metadata", "locale",
    "payment_method_collection", "subscription_data.metadata", "subscription_data.description", "allow_promotion_codes",
    "automatic_tax.enabled", "billing_address_collection", "customer_update.address", "customer_update.name",
)  # fmt: skip


def create(store: Store, given: Params, base: str) -> Object:
    accept(given, KNOWN, ("mode", "success_url"))
    if given["mode"] != "subscription":
        raise StripeError(f"The sandbox does not know the mode {given['mode']} yet.", param="mode")
    if given.get("customer"):
        store.get("customer", given["customer"], 400, "customer")
    items = []
    for at, line in enumerate(given.get("line_items") or []):
        accept(line, ("quantity",), ("price",))
        price = store.get("price", line["price"], 400, f"line_items[{at}][price]")
        metered = (price["recurring"] or {}).get("usage_type") == "metered"
        if metered and "quantity" in line:
            raise StripeError(
                "Quantity should not be specified where usage_type is metered.", param=f"line_items[{at}][quantity]"
            )
        if not metered and "quantity" not in line:
            raise StripeError("Quantity is required.", "parameter_missing", f"line_items[{at}][quantity]")
        items.append({"price": price["id"], "quantity": line.get("quantity")})
    if not items:
        raise StripeError("Missing required param: line_items.", "parameter_missing", "line_items")
    made = store.create(
        "checkout.session",
        "cs_test",
        {
            "mode": "subscription",
            "status": "open",
            "payment_status": "unpaid",
            "customer": given.get("customer"),
            "client_reference_id": given.get("client_reference_id"),
            "success_url": given["success_url"],
            "cancel_url": given.get("cancel_url"),
            "metadata": given.get("metadata", {}),
            "subscription": None,
            "expires_at": store.now() + EXPIRES_S,
            "sandbox_items": items,
            "sandbox_metadata": given.get("subscription_data", {}).get("metadata", {}),
        },
    )
    return store.save({**made, "url": f"{base}/c/pay/{made['id']}"})


def retrieve(store: Store, given: Params, id: str) -> Object:
    accept(given, ())
    return store.get("checkout.session", id)


def expire(store: Store, given: Params, id: str) -> Object:
    accept(given, ())
    session = store.get("checkout.session", id)
    if session["status"] != "open":
        raise StripeError("Only open sessions can be expired.")
    session = store.save({**session, "status": "expired", "url": None})
    store.emit("checkout.session.expired", session)
    return session


def pay(store: Store, id: str, card: str) -> Object:
    """What the page's button does: once, however often it is pressed. Raises StripeError for a declined card."""
    session = store.get("checkout.session", id)
    if session["status"] == "complete":
        return session
    if session["status"] != "open" or session["expires_at"] < store.now():
        raise StripeError("This checkout has expired. Go back and start again.")
    digits = "".join(c for c in card if c.isdigit())
    if len(digits) != 16:
        raise StripeError("Your card number is incomplete.", "incomplete_number", kind="card_error")
    if digits == DECLINED:
        raise StripeError("Your card was declined. Try another one.", "card_declined", status=402, kind="card_error")
    customer = session["customer"] or store.create("customer", "cus", {"metadata": {}, "email": None})["id"]
    method = store.create(
        "payment_method",
        "pm",
        {"customer": customer, "type": "card", "card": {"brand": "visa", "last4": digits[-4:]}, "metadata": {}},
    )
    subscription = subscriptions.start(
        store, customer, session["sandbox_items"], session["sandbox_metadata"], method["id"]
    )
    session = store.save(
        {
            **session,
            "status": "complete",
            "payment_status": "paid",
            "customer": customer,
            "subscription": subscription["id"],
            "url": None,
        }
    )
    store.emit("checkout.session.completed", session)
    return session


def create_portal(store: Store, given: Params, base: str) -> Object:
    accept(given, ("return_url", "locale", "configuration"), ("customer",))
    store.get("customer", given["customer"], 400, "customer")
    made = store.create(
        "billing_portal.session",
        "bps",
        {"customer": given["customer"], "return_url": given.get("return_url"), "secret": secrets.token_urlsafe(12)},
    )
    return store.save({**made, "url": f"{base}/p/session/{made['id']}"})
