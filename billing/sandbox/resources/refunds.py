"""Refunds: never more than was charged."""

from __future__ import annotations

from billing.sandbox.errors import StripeError
from billing.sandbox.params import LIST, Params, cents, merged, takes
from billing.sandbox.resources import charges, methods
from billing.sandbox.store import Object, Store

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
FAILS_AFTER_S = 86400


def make(
    store: Store, charge: Object, amount: int, reason: str | None = None, metadata: Params | None = None
) -> Object:
    """Sends `amount` cents of a charge back. Raises StripeError beyond what is left of it, or in a dispute."""
    left = charge["amount"] - charge["amount_refunded"]
    if charge["disputed"] and _disputed(store, charge):
        raise StripeError(f"Charge {charge['id']} has been charged back; cannot issue a refund.", "charge_disputed")
    if left == 0:
        raise StripeError(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
    if amount > left:
        raise StripeError(
            f"Refund amount (${amount / 100:.2f}) is greater than unrefunded amount on charge (${left / 100:.2f})",
            param="amount",
        )
    body = {
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "currency": "usd",
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {
            "type": "card",
            "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"},
        },
        "metadata": metadata or {},
        "next_action": None,
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "pending_reason": None,
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }
    refund = store.create("refund", "re", body)
    refund["balance_transaction"] = charges.move(store, "refund", refund["id"], -amount)["id"]
    store.save(refund)
    refunded = charge["amount_refunded"] + amount
    charge = store.save({**charge, "amount_refunded": refunded, "refunded": refunded == charge["amount"]})
    store.emit("refund.created", refund)
    store.emit("charge.refunded", charge)
    method = store.find("payment_method", charge["payment_method"] or "")
    if method and method["type"] == "card" and methods.behaviour(method).refund_fails:
        store.schedule("refund", refund["id"], store.now() + FAILS_AFTER_S)
    return refund


def fail_due(store: Store, id: str) -> None:
    """The bank could not take it: the money is back in the balance."""
    refund = store.get("refund", id)
    charge = store.get("charge", refund["charge"])
    moved = charges.move(store, "refund_failure", id, refund["amount"])
    refund |= {
        "status": "failed",
        "failure_reason": "expired_or_canceled_card",
        "failure_balance_transaction": moved["id"],
    }
    store.save(refund)
    store.save({**charge, "amount_refunded": charge["amount_refunded"] - refund["amount"], "refunded": False})
    store.emit("refund.updated", refund)
    store.emit("refund.failed", refund)


def _disputed(store: Store, charge: Object) -> bool:
    return any(d["charge"] == charge["id"] and d["status"] != "won" for d in store.all("dispute"))


@takes("charge", "payment_intent", "amount", "reason", "metadata", "currency")
def create(store: Store, given: Params) -> Object:
    charge = charges.paid(store, given)
    if given.get("reason") not in (None, *REASONS):
        raise StripeError(f"Invalid reason: must be one of {', '.join(REASONS)}", param="reason")
    amount = cents(given, "amount") if "amount" in given else charge["amount"] - charge["amount_refunded"]
    return make(store, charge, amount, given.get("reason"), given.get("metadata"))


@takes()
def retrieve(store: Store, given: Params, id: str) -> Object:
    return store.get("refund", id)


@takes("charge", "payment_intent", *LIST)
def listed(store: Store, given: Params) -> list[Object]:
    return [
        r
        for r in store.all("refund")
        if given.get("charge") in (None, r["charge"]) and given.get("payment_intent") in (None, r["payment_intent"])
    ]


@takes("metadata")
def update(store: Store, given: Params, id: str) -> Object:
    refund = store.get("refund", id)
    refund["metadata"] = merged(refund["metadata"], given)
    store.emit("refund.updated", store.save(refund))
    return refund
