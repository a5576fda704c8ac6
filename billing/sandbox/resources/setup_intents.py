"""Setting up a card for later."""

from __future__ import annotations

import secrets
from typing import Any

from billing.sandbox.errors import CardError, StripeError
from billing.sandbox.params import LIST, Params, takes, truth
from billing.sandbox.resources import methods
from billing.sandbox.store import Object, Store

MADE_WITH = (
    "customer", "payment_method", "confirm", "usage", "metadata", "description", "return_url", "use_stripe_sdk",
    "automatic_payment_methods.enabled", "automatic_payment_methods.allow_redirects",
)  # fmt: skip


def make(store: Store, customer: str | None, given: Params, **more: Any) -> Object:
    """An intent to keep a card."""
    body = {
        "application": None,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "cancellation_reason": None,
        "client_secret": None,
        "customer": customer,
        "description": given.get("description"),
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "mandate": None,
        "metadata": given.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": given.get("usage", "off_session"),
        **more,
    }
    made = store.create("setup_intent", "seti", body)
    made["client_secret"] = f"{made['id']}_secret_{secrets.token_hex(8)}"
    store.save(made)
    store.emit("setup_intent.created", made)
    return made


def attempt(store: Store, intent: Object, method: Object, authenticated: bool = False) -> Object:
    """Keeps the card for its customer, or waits for authentication. Raises CardError for a card that is refused."""
    if methods.behaviour(method).authenticates and not authenticated:
        url = f"{store.base}/c/authenticate/{intent['id']}"
        redirect = {"url": url, "return_url": intent.get("sandbox_return_url")}
        intent |= {
            "status": "requires_action",
            "payment_method": method["id"],
            "next_action": {"type": "redirect_to_url", "redirect_to_url": redirect},
        }
        store.save(intent)
        store.emit("setup_intent.requires_action", intent)
        return intent
    try:
        if intent["customer"]:
            method = methods.keep(store, method, intent["customer"])
    except CardError as error:
        fail(store, intent, method, error.body["error"])
        error.body["error"]["setup_intent"] = store.get("setup_intent", intent["id"])
        raise
    store.save({**method, "sandbox_set_up": True})
    intent |= {"status": "succeeded", "payment_method": method["id"], "next_action": None, "last_setup_error": None}
    store.save(intent)
    store.emit("setup_intent.succeeded", intent)
    return intent


def fail(store: Store, intent: Object, method: Object, error: dict[str, Any]) -> Object:
    """Not kept: another card is needed."""
    told = {**error, "payment_method": method}
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "last_setup_error": told,
    }
    store.save(intent)
    store.emit("setup_intent.setup_failed", intent)
    return intent


@takes(*MADE_WITH)
def create(store: Store, given: Params) -> Object:
    customer = given.get("customer")
    if customer:
        store.get("customer", customer, 400, "customer")
    intent = make(store, customer, given, sandbox_return_url=given.get("return_url"))
    if given.get("payment_method"):
        method = methods.resolve(store, given["payment_method"])
        intent = store.save({**intent, "payment_method": method["id"], "status": "requires_confirmation"})
    return _confirm(store, intent, given) if truth(given, "confirm") else intent


@takes("payment_method", "return_url", "use_stripe_sdk")
def confirm(store: Store, given: Params, id: str) -> Object:
    return _confirm(store, store.get("setup_intent", id), given)


def _confirm(store: Store, intent: Object, given: Params) -> Object:
    if intent["status"] in ("succeeded", "canceled"):
        raise StripeError(f"This SetupIntent has {intent['status']} already.", "setup_intent_unexpected_state")
    named = given.get("payment_method") or intent["payment_method"]
    if not named:
        raise StripeError("This SetupIntent is missing a payment method.", "setup_intent_unexpected_state")
    intent["sandbox_return_url"] = given.get("return_url", intent.get("sandbox_return_url"))
    return attempt(store, intent, methods.resolve(store, named))


@takes()
def retrieve(store: Store, given: Params, id: str) -> Object:
    return store.get("setup_intent", id)


@takes("customer", "payment_method", *LIST)
def listed(store: Store, given: Params) -> list[Object]:
    found = store.all("setup_intent", given.get("customer"))
    return [i for i in found if given.get("payment_method") in (None, i["payment_method"])]


@takes("cancellation_reason")
def cancel(store: Store, given: Params, id: str) -> Object:
    intent = store.get("setup_intent", id)
    if intent["status"] in ("succeeded", "canceled"):
        raise StripeError(f"This SetupIntent has {intent['status']} already.", "setup_intent_unexpected_state")
    intent |= {
        "status": "canceled",
        "cancellation_reason": given.get("cancellation_reason"),
        "next_action": None,
    }
    store.save(intent)
    store.emit("setup_intent.canceled", intent)
    return intent


def authenticate(store: Store, id: str, agreed: bool) -> Object:
    """What the hosted page's buttons do."""
    intent = store.get("setup_intent", id)
    if intent["status"] != "requires_action":
        return intent
    method = store.get("payment_method", intent["payment_method"])
    if agreed:
        try:
            return attempt(store, intent, method, authenticated=True)
        except CardError:
            return store.get("setup_intent", id)
    message = "The latest attempt to set up the payment method has failed because authentication failed."
    return fail(
        store,
        intent,
        method,
        {"type": "invalid_request_error", "message": message, "code": "setup_intent_authentication_failure"},
    )
