"""A payment, from its intent to the money: attempt, authenticate, fail. Its API is payment_intents."""

from __future__ import annotations

import secrets
from typing import Any

from billing.sandbox.errors import CardError
from billing.sandbox.params import Params
from billing.sandbox.resources import cards, charges, disputes, methods
from billing.sandbox.store import Object, Store

COPIED = (
    "description", "receipt_email", "statement_descriptor", "statement_descriptor_suffix", "transfer_group",
    "setup_future_usage",
)  # fmt: skip


def make(store: Store, amount: int, customer: str | None, given: Params, **more: Any) -> Object:
    """An intent to pay `amount` cents; `more` is what only the sandbox knows of it."""
    body = {
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": None,
        "confirmation_method": "automatic",
        "currency": "usd",
        "customer": customer,
        "last_payment_error": None,
        "latest_charge": None,
        "metadata": given.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "processing": None,
        "review": None,
        "shipping": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        **{name: given.get(name) for name in COPIED},
        **more,
    }
    made = store.create("payment_intent", "pi", body)
    made["client_secret"] = f"{made['id']}_secret_{secrets.token_hex(8)}"
    store.save(made)
    store.emit("payment_intent.created", made)
    return made


def attempt(
    store: Store, intent: Object, method: Object, *, off_session: bool = False, authenticated: bool = False
) -> Object:
    """Charges the card. The intent then succeeded, or waits for authentication on a hosted page.

    Raises CardError when the issuer refuses, or wants a customer who is not there (`off_session`); the intent can be
    tried again.
    """
    card = methods.behaviour(method)
    intent = {**intent, "payment_method": method["id"], "next_action": None}
    wanted = card.authenticates == "always" or (card.authenticates and not method["sandbox_set_up"])
    # A card that was authenticated to be set up needs no other authentication while its owner is away.
    if wanted and not authenticated:
        if off_session:
            raise _failed(store, intent, method, "authentication_required")
        url = f"{store.base}/c/authenticate/{intent['id']}"
        redirect = {"url": url, "return_url": intent.get("sandbox_return_url")}
        intent |= {
            "status": "requires_action",
            "next_action": {"type": "redirect_to_url", "redirect_to_url": redirect},
        }
        store.save(intent)
        store.emit("payment_intent.requires_action", intent)
        return intent
    refusal = card.refuses or card.fails
    if refusal:
        raise _failed(store, intent, method, refusal)
    return succeed(store, intent, method)


def succeed(store: Store, intent: Object, method: Object) -> Object:
    """The money came: a charge, the card kept where that was asked, a dispute where the card is one that disputes."""
    waiting = store.find("charge", intent["latest_charge"] or "") if intent["status"] == "processing" else None
    charge = charges.arrived(store, waiting) if waiting else charges.make(store, intent, method, None)
    if intent["setup_future_usage"] and intent["customer"]:
        method = methods.keep(store, method, intent["customer"])
        store.save({**method, "sandbox_set_up": True})
    intent = {
        **intent,
        "status": "succeeded",
        "amount_received": intent["amount"],
        "latest_charge": charge["id"],
        "last_payment_error": None,
        "next_action": None,
        "payment_method": method["id"],
    }
    store.save(intent)
    store.emit("payment_intent.succeeded", intent)
    if method["type"] == "card" and methods.behaviour(method).disputed:
        disputes.open_(store, charge)
    return intent


def _failed(store: Store, intent: Object, method: Object, reason: str) -> CardError:
    error = cards.decline(reason)
    charge = charges.make(store, intent, method, error.body["error"])
    failed = fail(
        store, {**intent, "latest_charge": charge["id"]}, method, error.body["error"] | {"charge": charge["id"]}
    )
    error.body["error"] |= {"charge": charge["id"], "payment_intent": failed, "payment_method": method}
    return error


def fail(store: Store, intent: Object, method: Object, error: dict[str, Any]) -> Object:
    """Not paid: another payment method, or another attempt, is needed."""
    intent = {
        **intent,
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "last_payment_error": {**error, "payment_method": method},
    }
    store.save(intent)
    store.emit("payment_intent.payment_failed", intent)
    return intent
