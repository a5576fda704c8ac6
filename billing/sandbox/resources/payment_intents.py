"""The API of payments; what a payment was for is told when it ends."""

from __future__ import annotations

from billing.sandbox.errors import CardError, StripeError
from billing.sandbox.params import LIST, Params, cents, dollars, merged, takes, truth
from billing.sandbox.resources import collection, methods, payments
from billing.sandbox.store import Object, Store

LEAST_CENTS = 50
MADE_WITH = (
    "customer", "payment_method", "confirm", "off_session", "metadata", "return_url", "capture_method",
    "automatic_payment_methods.enabled", "automatic_payment_methods.allow_redirects", "error_on_requires_action",
    "use_stripe_sdk", *payments.COPIED,
)  # fmt: skip
ENDED = ("succeeded", "canceled")


@takes(*MADE_WITH, required=("amount", "currency"))
def create(store: Store, given: Params) -> Object:
    dollars(given)
    amount = cents(given, "amount", LEAST_CENTS)
    if given.get("capture_method", "automatic_async") not in ("automatic", "automatic_async"):
        raise StripeError("The sandbox captures automatically only.", param="capture_method")
    if truth(given, "off_session") and not truth(given, "confirm"):
        raise StripeError("off_session is for payments that are confirmed: set confirm=true.", param="off_session")
    customer = given.get("customer")
    if customer:
        store.get("customer", customer, 400, "customer")
    intent = payments.make(store, amount, customer, given, sandbox_return_url=given.get("return_url"))
    if given.get("payment_method"):
        method = _usable(store, intent, given["payment_method"])
        intent = store.save({**intent, "payment_method": method["id"], "status": "requires_confirmation"})
    return _confirm(store, intent, given) if truth(given, "confirm") else intent


@takes("payment_method", "off_session", "return_url", "receipt_email", "setup_future_usage", "error_on_requires_action",
       "use_stripe_sdk")  # fmt: skip
def confirm(store: Store, given: Params, id: str) -> Object:
    intent = store.get("payment_intent", id)
    if intent["status"] in (*ENDED, "processing"):
        raise StripeError(
            f"You cannot confirm this PaymentIntent because it has already {intent['status']}.",
            "payment_intent_unexpected_state",
        )
    for name in ("receipt_email", "setup_future_usage"):
        intent[name] = given.get(name, intent[name])
    intent["sandbox_return_url"] = given.get("return_url", intent.get("sandbox_return_url"))
    return _confirm(store, intent, given)


def _confirm(store: Store, intent: Object, given: Params) -> Object:
    named = given.get("payment_method") or intent["payment_method"]
    if not named:
        raise StripeError(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            "payment_intent_unexpected_state",
        )
    method = _usable(store, intent, named)
    away = truth(given, "off_session") or truth(given, "error_on_requires_action")
    return _told(store, payments.attempt(store, intent, method, off_session=away))


def _told(store: Store, intent: Object) -> Object:
    """The intent; what it pays for knows."""
    collection.settle(store, intent)
    return intent


def _usable(store: Store, intent: Object, id: str) -> Object:
    method = methods.resolve(store, id)
    if method["customer"] and method["customer"] != intent["customer"]:
        raise StripeError(
            "The payment method belongs to another customer: set `customer` to its owner.",
            "payment_method_unexpected_state",
            "payment_method",
        )
    return method


@takes()
def retrieve(store: Store, given: Params, id: str) -> Object:
    return store.get("payment_intent", id)


@takes("customer", *LIST)
def listed(store: Store, given: Params) -> list[Object]:
    return store.all("payment_intent", given.get("customer"))


@takes("metadata", "description", "receipt_email", "payment_method", "setup_future_usage", "amount")
def update(store: Store, given: Params, id: str) -> Object:
    intent = store.get("payment_intent", id)
    if intent["status"] in ENDED and {*given} - {"metadata", "description", "expand"}:
        raise StripeError("This PaymentIntent has ended.", "payment_intent_unexpected_state")
    if "amount" in given:
        intent["amount"] = cents(given, "amount", LEAST_CENTS)
    if "payment_method" in given:
        method = _usable(store, intent, given["payment_method"])
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    intent["metadata"] = merged(intent["metadata"], given)
    for name in ("description", "receipt_email", "setup_future_usage"):
        intent[name] = given.get(name, intent[name])
    return store.save(intent)


@takes("cancellation_reason")
def cancel(store: Store, given: Params, id: str) -> Object:
    intent = store.get("payment_intent", id)
    if intent["status"] in (*ENDED, "processing"):
        raise StripeError(
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}.",
            "payment_intent_unexpected_state",
        )
    if intent.get("sandbox_invoice"):
        raise StripeError("This PaymentIntent is an invoice's: void the invoice.", "payment_intent_unexpected_state")
    reason = given.get("cancellation_reason")
    ended = {"status": "canceled", "canceled_at": store.now(), "cancellation_reason": reason, "next_action": None}
    store.save({**intent, **ended})
    store.emit("payment_intent.canceled", {**intent, **ended})
    return {**intent, **ended}


def authenticate(store: Store, id: str, agreed: bool) -> Object:
    """What the hosted page's buttons do. A payment that no longer waits stays as it is."""
    intent = store.get("payment_intent", id)
    if intent["status"] != "requires_action":
        return intent
    method = store.get("payment_method", intent["payment_method"])
    if agreed:
        try:
            return _told(store, payments.attempt(store, intent, method, authenticated=True))
        except CardError:
            return store.get("payment_intent", id)
    message = "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent again."
    error = {"type": "invalid_request_error", "code": "payment_intent_authentication_failure", "message": message}
    return payments.fail(store, intent, method, error)
