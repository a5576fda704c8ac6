"""Charges, and the balance that they and their like move."""

from __future__ import annotations

from typing import Any

from billing.sandbox.errors import StripeError
from billing.sandbox.params import LIST, Params, takes
from billing.sandbox.resources import methods
from billing.sandbox.store import Object, Store

SETTLES_S = 2 * 86400  # until a card's money is available


def fee(amount: int) -> int:
    """Stripe's price of a card payment in the US: 2.9 % and 30 ¢, in cents."""
    return (amount * 29 + 500) // 1000 + 30


def move(
    store: Store,
    kind: str,
    source: str,
    amount: int,
    cost: int = 0,
    available_on: int | None = None,
    category: str = "",
) -> Object:
    """A balance transaction: `amount` cents in (or out, negative), less Stripe's cost. `category`: where it is not the kind."""
    now = store.now()
    on = now if available_on is None else available_on
    details: list[Any] = []
    if cost:
        one = {"amount": cost, "application": None, "currency": "usd", "type": "stripe_fee"}
        details = [{**one, "description": "Stripe processing fees"}]
    body = {
        "amount": amount,
        "available_on": on,
        "balance_type": "payments",
        "currency": "usd",
        "description": None,
        "exchange_rate": None,
        "fee": cost,
        "fee_details": details,
        "net": amount - cost,
        "reporting_category": category or kind,
        "source": source,
        "status": "available" if on <= now else "pending",
        "type": kind,
    }
    return store.create("balance_transaction", "txn", body)


def make(store: Store, intent: Object, method: Object, refusal: dict[str, Any] | None, pending: bool = False) -> Object:
    """What an attempt to pay left: a charge that succeeded, or failed with the refusal (an error of Stripe's).

    `pending`: a bank has yet to answer, and the money counts as pending until then.
    """
    amount = intent["amount"]
    body = {
        "amount": amount,
        "amount_captured": 0 if refusal else amount,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "MERCATO",
        "captured": not refusal,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": refusal["code"] if refusal else None,
        "failure_message": refusal["message"] if refusal else None,
        "fraud_details": {},
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": {
            "network_status": "declined_by_network" if refusal else "approved_by_network",
            "reason": refusal.get("decline_code") if refusal else None,
            "risk_level": "normal",
            "seller_message": "The bank did not return any further details." if refusal else "Payment complete.",
            "type": "issuer_declined" if refusal else "authorized",
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
        },
        "paid": not refusal and not pending,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"type": method["type"], method["type"]: _details(method, amount)},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "failed" if refusal else "pending" if pending else "succeeded",
        "transfer_data": None,
        "transfer_group": intent["transfer_group"],
    }
    charge = store.create("charge", "ch", body)
    if refusal:
        store.emit("charge.failed", charge)
        return charge
    at_once = method["type"] == "card" and methods.behaviour(method).at_once
    available = store.now() + (0 if at_once else SETTLES_S)
    kind = "charge" if method["type"] == "card" else "payment"
    moved = move(store, kind, charge["id"], amount, fee(amount), available, category="charge")
    charge = store.save({**charge, "balance_transaction": moved["id"]})
    if pending:
        store.emit("charge.pending", charge)
        return charge
    return arrived(store, charge)


def arrived(store: Store, charge: Object) -> Object:
    """The money is there."""
    receipt = {
        "receipt_url": f"{store.base}/r/{charge['id']}",
        "receipt_number": f"{charge['id'][3:7]}-{charge['id'][7:11]}",
    }
    charge = store.save({**charge, **receipt, "status": "succeeded", "paid": True})
    store.emit("charge.succeeded", charge)
    return charge


def bounced(store: Store, charge: Object, error: dict[str, Any]) -> None:
    """The bank has not paid a charge that was pending: what came goes, and so does the fee."""
    back = move(
        store,
        "payment_failure_refund",
        charge["id"],
        -charge["amount"],
        -fee(charge["amount"]),
        category="charge_failure",
    )
    said = {"failure_code": error["code"], "failure_message": error["message"]}
    charge |= {**said, "status": "failed", "failure_balance_transaction": back["id"]}
    store.emit("charge.failed", store.save(charge))


def _details(method: Object, amount: int) -> Object:
    """The card or bank account, as charges show it."""
    known: Object = method[method["type"]]
    if method["type"] != "card":
        return {**known, "fingerprint": None, "mandate": None, "payment_reference": None}
    hidden = ("display_brand", "generated_from", "networks", "three_d_secure_usage")
    shown = {name: value for name, value in known.items() if name not in hidden}
    return {
        **shown,
        "amount_authorized": amount,
        "authorization_code": None,
        "network": known["brand"],
        "three_d_secure": None,
    }


@takes()
def retrieve(store: Store, given: Params, id: str) -> Object:
    return store.get("charge", id)


@takes("customer", "payment_intent", "transfer_group", *LIST)
def listed(store: Store, given: Params) -> list[Object]:
    return [
        c
        for c in store.all("charge", given.get("customer"))
        if given.get("payment_intent") in (None, c["payment_intent"])
        and given.get("transfer_group") in (None, c["transfer_group"])
    ]


def balance(store: Store, given: Params) -> Object:
    """What is available now, and what is still pending, in cents."""
    now, sums = store.now(), {"available": 0, "pending": 0}
    for moved in store.all("balance_transaction"):
        sums["available" if moved["available_on"] <= now else "pending"] += moved["net"]
    parts = {
        name: [{"amount": amount, "currency": "usd", "source_types": {"card": amount}}] for name, amount in sums.items()
    }
    return {"object": "balance", "livemode": False, "connect_reserved": [{"amount": 0, "currency": "usd"}], **parts}


@takes("type", "source", "payout", "currency", *LIST)
def transactions(store: Store, given: Params) -> list[Object]:
    return [
        _aged(store, t)
        for t in store.all("balance_transaction")
        if given.get("type") in (None, t["type"]) and given.get("source") in (None, t["source"])
    ]


@takes()
def transaction(store: Store, given: Params, id: str) -> Object:
    return _aged(store, store.get("balance_transaction", id))


def _aged(store: Store, moved: Object) -> Object:
    return {**moved, "status": "available" if moved["available_on"] <= store.now() else "pending"}


def paid(store: Store, given: Params) -> Object:
    """The charge that `charge` or `payment_intent` names. Raises StripeError unless it succeeded."""
    id, intent = given.get("charge"), given.get("payment_intent")
    if not id and not intent:
        raise StripeError("One of the following params should be provided: payment_intent or charge.")
    if intent:
        id = store.get("payment_intent", intent, 404, "payment_intent")["latest_charge"]
        if not id:
            raise StripeError("This PaymentIntent does not have a successful charge to refund.", param="payment_intent")
    charge = store.get("charge", str(id), 404, "charge")
    if charge["status"] != "succeeded":
        raise StripeError(f"Charge {charge['id']} has not succeeded.", param="charge")
    return charge
