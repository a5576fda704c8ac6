"""Payment methods: cards that customers keep."""

from __future__ import annotations

from typing import Any

from billing.sandbox.errors import CardError, StripeError
from billing.sandbox.params import PAGE, Params, merged, takes, whole
from billing.sandbox.resources import cards
from billing.sandbox.resources.cards import TestCard
from billing.sandbox.store import Object, Store

DETAILS = ("billing_details", "metadata", "allow_redisplay")


def make(store: Store, card: TestCard, month: int = 12, year: int = 2034, **more: Any) -> Object:
    """A payment method that nobody owns yet."""
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    details = {"address": address, "email": None, "name": None, "phone": None, "tax_id": None}
    shown = {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "display_brand": card.brand,
        "exp_month": month,
        "exp_year": year,
        "fingerprint": cards.fingerprint(card.number),
        "funding": "credit",
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    body = {
        "type": "card",
        "card": shown,
        "customer": None,
        "customer_account": None,
        "allow_redisplay": more.get("allow_redisplay", "unspecified"),
        "billing_details": {**details, **more.get("billing_details", {})},
        "metadata": more.get("metadata", {}),
        "sandbox_card": card.number,
        "sandbox_set_up": False,
    }
    return store.create("payment_method", "pm", body)


def behaviour(method: Object) -> TestCard:
    """How the card behaves."""
    return cards.CARDS[method["sandbox_card"]]


def resolve(store: Store, id: str, param: str = "payment_method") -> Object:
    """The payment method of the id, or a new one of a test card's token. Raises StripeError."""
    if id in cards.TOKENS:
        return make(store, cards.TOKENS[id])
    return store.get("payment_method", id, 400, param)


def keep(store: Store, method: Object, customer: str) -> Object:
    """The customer's from now on. Raises CardError for a card that its issuer refuses, StripeError for another's."""
    if method["customer"] == customer:
        return method
    if method["customer"]:
        raise StripeError(
            "The payment method you provided has already been attached to a customer.",
            "payment_method_unexpected_state",
        )
    refuses = behaviour(method).refuses
    if refuses:
        raise cards.decline(refuses, payment_method=method)
    method = store.save({**method, "customer": customer})
    store.emit("payment_method.attached", method)
    return method


@takes("card.number", "card.exp_month", "card.exp_year", "card.cvc", "card.token", *DETAILS, required=("type",))
def create(store: Store, given: Params) -> Object:
    if given["type"] != "card" or not isinstance(given.get("card"), dict):
        raise StripeError("The sandbox knows payment methods of type card only.", param="type")
    card, token = given["card"], given["card"].get("token", "")
    if token:
        # Tokens of Stripe.js are the same cards: tok_visa, tok_createDispute.
        found = cards.TOKENS.get(f"pm_card_{token.removeprefix('tok_')}")
        if found is None:
            raise StripeError(f"No such token: '{token}'", "resource_missing", "card[token]")
        return make(store, found, **_details(given))
    month, year = whole(card, "exp_month", 12), whole(card, "exp_year", 2034)
    if not 1 <= month <= 12:
        raise CardError("Your card's expiration month is invalid.", "invalid_expiry_month")
    return make(store, cards.entered(str(card.get("number", ""))), month, year, **_details(given))


def _details(given: Params) -> Params:
    return {name: given[name] for name in DETAILS if name in given}


@takes()
def retrieve(store: Store, given: Params, id: str) -> Object:
    return store.get("payment_method", id)


@takes("type", "customer", *PAGE)
def listed(store: Store, given: Params) -> list[Object]:
    if not given.get("customer"):
        return []
    store.get("customer", given["customer"], 400, "customer")
    return [m for m in store.all("payment_method", given["customer"]) if given.get("type") in (None, m["type"])]


@takes("type", "allow_redisplay", *PAGE)
def of_customer(store: Store, given: Params, id: str) -> list[Object]:
    store.get("customer", id)
    return [m for m in store.all("payment_method", id) if given.get("type") in (None, m["type"])]


@takes()
def one_of_customer(store: Store, given: Params, id: str, method: str) -> Object:
    found = store.get("payment_method", method)
    if found["customer"] != id:
        raise StripeError(f"No such payment_method: '{method}'", "resource_missing", status=404)
    return found


@takes("billing_details", "metadata", "allow_redisplay", "card.exp_month", "card.exp_year")
def update(store: Store, given: Params, id: str) -> Object:
    method = store.get("payment_method", id)
    method["billing_details"] |= given.get("billing_details", {})
    method["metadata"] = merged(method["metadata"], given)
    for name in ("exp_month", "exp_year"):
        if name in given.get("card", {}):
            method["card"][name] = whole(given["card"], name)
    store.save(method)
    store.emit("payment_method.updated", method)
    return method


@takes(required=("customer",))
def attach(store: Store, given: Params, id: str) -> Object:
    store.get("customer", given["customer"], 400, "customer")
    return keep(store, resolve(store, id, "id"), given["customer"])


@takes()
def detach(store: Store, given: Params, id: str) -> Object:
    method = store.get("payment_method", id)
    if not method["customer"]:
        raise StripeError("The payment method you provided is not attached to a customer so detachment is impossible.")
    owner = store.get("customer", method["customer"])
    method = store.save({**method, "customer": None})
    # Nobody's default any more.
    if owner["invoice_settings"]["default_payment_method"] == id:
        owner["invoice_settings"]["default_payment_method"] = None
        store.emit("customer.updated", store.save(owner))
    for subscription in store.all("subscription", owner["id"]):
        if subscription["default_payment_method"] == id:
            store.save({**subscription, "default_payment_method": None})
    store.emit("payment_method.detached", method)
    return method
