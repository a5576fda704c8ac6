"""Transfers to the accounts of Connect, out of the available balance."""

from __future__ import annotations

from billing.sandbox.errors import StripeError
from billing.sandbox.params import LIST, PAGE, Params, cents, dollars, merged, takes
from billing.sandbox.resources import charges
from billing.sandbox.store import Object, Store


@takes(
    "transfer_group",
    "source_transaction",
    "source_type",
    "description",
    "metadata",
    required=("amount", "currency", "destination"),
)
def create(store: Store, given: Params) -> Object:
    dollars(given)
    amount = cents(given, "amount")
    account = store.find("v2.core.account", given["destination"])
    if account is None:
        raise StripeError(f"No such destination: '{given['destination']}'", "resource_missing", "destination")
    if account["sandbox_status"] != "active":
        raise StripeError(
            "Your destination account needs to have at least one of the following capabilities enabled: transfers, crypto_transfers, legacy_payments",
            "insufficient_capabilities_for_transfer",
        )
    source = given.get("source_transaction")
    if source:
        charge = charges.paid(store, {"charge": source})
        if amount > charge["amount"]:
            raise StripeError("The transfer is for more than its source_transaction.", param="amount")
    elif amount > charges.balance(store, {})["available"][0]["amount"]:
        raise StripeError(
            "You have insufficient available funds in your Stripe account. Try adding funds directly to your available balance by creating Charges using the 4000000000000077 test card.",
            "balance_insufficient",
        )
    body = {
        "amount": amount,
        "amount_reversed": 0,
        "balance_transaction": None,
        "currency": "usd",
        "description": given.get("description"),
        "destination": account["id"],
        "destination_payment": None,
        "metadata": given.get("metadata", {}),
        "reversals": {"object": "list", "data": [], "has_more": False, "url": ""},
        "reversed": False,
        "source_transaction": source,
        "source_type": given.get("source_type", "card"),
        "transfer_group": given.get("transfer_group"),
    }
    transfer = store.create("transfer", "tr", body)
    transfer["reversals"]["url"] = f"/v1/transfers/{transfer['id']}/reversals"
    transfer["destination_payment"] = f"py_{transfer['id'][3:]}"
    transfer["balance_transaction"] = charges.move(store, "transfer", transfer["id"], -amount)["id"]
    store.emit("transfer.created", store.save(transfer))
    return transfer


@takes()
def retrieve(store: Store, given: Params, id: str) -> Object:
    return store.get("transfer", id)


@takes("destination", "transfer_group", *LIST)
def listed(store: Store, given: Params) -> list[Object]:
    return [
        t
        for t in store.all("transfer")
        if given.get("destination") in (None, t["destination"])
        and given.get("transfer_group") in (None, t["transfer_group"])
    ]


@takes("description", "metadata")
def update(store: Store, given: Params, id: str) -> Object:
    transfer = store.get("transfer", id)
    transfer |= {
        "description": given.get("description", transfer["description"]),
        "metadata": merged(transfer["metadata"], given),
    }
    store.emit("transfer.updated", store.save(transfer))
    return transfer


@takes("amount", "description", "metadata", "refund_application_fee")
def reverse(store: Store, given: Params, id: str) -> Object:
    """Takes a transfer back, or a part of it."""
    transfer = store.get("transfer", id)
    left = transfer["amount"] - transfer["amount_reversed"]
    amount = cents(given, "amount") if "amount" in given else left
    if not left or amount > left:
        raise StripeError(
            f"Reversal amount (${amount / 100:.2f}) is greater than unreversed amount of transfer (${left / 100:.2f})",
            param="amount",
        )
    body = {
        "amount": amount,
        "balance_transaction": None,
        "currency": "usd",
        "destination_payment_refund": None,
        "metadata": given.get("metadata", {}),
        "source_refund": None,
        "transfer": id,
    }
    reversal = store.create("transfer_reversal", "trr", body)
    moved = charges.move(store, "transfer_refund", reversal["id"], amount, category="transfer_reversal")
    reversal["balance_transaction"] = moved["id"]
    store.save(reversal)
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    transfer["reversals"]["data"].insert(0, reversal)
    store.emit("transfer.reversed", store.save(transfer))
    return reversal


@takes(*PAGE)
def reversals(store: Store, given: Params, id: str) -> list[Object]:
    found: list[Object] = store.get("transfer", id)["reversals"]["data"]
    return found


@takes()
def reversal(store: Store, given: Params, id: str, reversal: str) -> Object:
    store.get("transfer", id)
    return store.get("transfer_reversal", reversal)
