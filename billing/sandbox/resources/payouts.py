"""Payouts to the platform's own bank, out of the available balance."""

from __future__ import annotations

from billing.sandbox.errors import StripeError
from billing.sandbox.params import LIST, Params, cents, dollars, takes
from billing.sandbox.resources import charges
from billing.sandbox.store import Object, Store

ARRIVES_S = 2 * 86400


@takes("description", "metadata", "statement_descriptor", required=("amount", "currency"))
def create(store: Store, given: Params) -> Object:
    dollars(given)
    amount = cents(given, "amount")
    if amount > charges.balance(store, {})["available"][0]["amount"]:
        raise StripeError("You have insufficient funds in your Stripe account.", "balance_insufficient")
    body = {
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": store.now() + ARRIVES_S,
        "automatic": False,
        "balance_transaction": None,
        "currency": "usd",
        "description": given.get("description"),
        "destination": "ba_sandbox",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "metadata": given.get("metadata", {}),
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": given.get("statement_descriptor"),
        "status": "paid",
        "trace_id": None,
        "type": "bank_account",
    }
    payout = store.create("payout", "po", body)
    payout["balance_transaction"] = charges.move(store, "payout", payout["id"], -amount)["id"]
    store.emit("payout.paid", store.save(payout))
    return payout


@takes()
def retrieve(store: Store, given: Params, id: str) -> Object:
    return store.get("payout", id)


@takes(*LIST)
def listed(store: Store, given: Params) -> list[Object]:
    return store.all("payout")
