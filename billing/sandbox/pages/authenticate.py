"""The bank's page for a payment or a card that was made without Checkout."""

from __future__ import annotations

from billing.sandbox.errors import StripeError
from billing.sandbox.pages.checkout import question
from billing.sandbox.pages.frame import Page, back, page, to
from billing.sandbox.params import Params
from billing.sandbox.resources import payment_intents, setup_intents
from billing.sandbox.store import Object, Store


def show(store: Store, id: str, error: str = "") -> Page:
    """Is it you?"""
    intent = _intent(store, id)
    if intent["status"] == "requires_action":
        return question(f"/c/authenticate/{id}")
    return _ended(intent)


def press(store: Store, id: str, form: Params) -> Page:
    """The payment goes on, or fails; then back to where it was asked from."""
    agreed = form.get("authenticated") == "yes"
    if id.startswith("seti_"):
        return _ended(setup_intents.authenticate(store, id, agreed))
    return _ended(payment_intents.authenticate(store, id, agreed))


def refused(store: Store, id: str, error: StripeError) -> Page:
    """The page again."""
    return show(store, id)


def _intent(store: Store, id: str) -> Object:
    return store.get("setup_intent" if id.startswith("seti_") else "payment_intent", id)


def _ended(intent: Object) -> Page:
    where = intent.get("sandbox_return_url")
    if where:
        kind = "setup_intent" if intent["object"] == "setup_intent" else "payment_intent"
        joined = "&" if "?" in where else "?"
        succeeded = "succeeded" if intent["status"] == "succeeded" else "failed"
        return to(f"{where}{joined}{kind}={intent['id']}&redirect_status={succeeded}")
    words = {
        "succeeded": "Thank you: it is done.",
        "requires_payment_method": "Authentication failed: nothing was charged.",
    }
    return page(
        "Authentication",
        f"{back(None)}<h1>{words.get(intent['status'], 'There is nothing to do here.')}</h1><p>You can close this page.</p>",
    )
