"""Disputes: a customer's bank takes a payment back, until the dispute is won."""

from __future__ import annotations

from billing.sandbox.errors import StripeError
from billing.sandbox.params import LIST, Params, merged, takes, truth
from billing.sandbox.resources import charges
from billing.sandbox.store import Object, Store

FEE_CENTS = 1500
ANSWER_WITHIN_S = 7 * 86400
EVIDENCE = (
    "access_activity_log", "billing_address", "cancellation_policy", "customer_communication", "customer_email_address",
    "customer_name", "customer_purchase_ip", "customer_signature", "duplicate_charge_explanation", "product_description",
    "receipt", "refund_policy", "refund_refusal_explanation", "service_date", "service_documentation",
    "uncategorized_file", "uncategorized_text",
)  # fmt: skip


def open_(store: Store, charge: Object) -> Object:
    """The money of the charge, and a fee, are withdrawn at once."""
    details: Object = {
        "due_by": store.now() + ANSWER_WITHIN_S,
        "enhanced_eligibility": {},
        "has_evidence": False,
        "past_due": False,
        "submission_count": 0,
        "submission_method": "not_submitted",
    }
    amount = charge["amount"] - charge["amount_refunded"]
    body = {
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "currency": "usd",
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(EVIDENCE) | {"enhanced_evidence": {}},
        "evidence_details": details,
        "is_charge_refundable": False,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": charge["payment_intent"],
        "reason": "fraudulent",
        "status": "needs_response",
    }
    dispute = store.create("dispute", "du", body)
    store.save({**charge, "disputed": True})
    store.emit("charge.dispute.created", dispute)
    moved = charges.move(store, "adjustment", dispute["id"], -amount, FEE_CENTS, category="dispute")
    dispute = store.save({**dispute, "balance_transactions": [moved]})
    store.emit("charge.dispute.funds_withdrawn", dispute)
    store.schedule("lose_dispute", dispute["id"], details["due_by"])
    return dispute


def close(store: Store, id: str, won: bool) -> Object:
    """The bank decides. A dispute that was won brings the money back, not the fee."""
    dispute = store.get("dispute", id)
    if dispute["status"] in ("won", "lost"):
        return dispute
    dispute["status"] = "won" if won else "lost"
    if won:
        moved = charges.move(store, "adjustment", id, dispute["amount"], category="dispute_reversal")
        dispute["balance_transactions"].append(moved)
    store.save(dispute)
    store.emit("charge.dispute.closed", dispute)
    if won:
        store.emit("charge.dispute.funds_reinstated", dispute)
    return dispute


def lose(store: Store, id: str) -> None:
    """Nobody answered in time."""
    if store.get("dispute", id)["status"] == "needs_response":
        close(store, id, won=False)


@takes()
def retrieve(store: Store, given: Params, id: str) -> Object:
    return store.get("dispute", id)


@takes("charge", "payment_intent", *LIST)
def listed(store: Store, given: Params) -> list[Object]:
    return [
        d
        for d in store.all("dispute")
        if given.get("charge") in (None, d["charge"]) and given.get("payment_intent") in (None, d["payment_intent"])
    ]


@takes("metadata", "submit", *(f"evidence.{name}" for name in EVIDENCE))
def update(store: Store, given: Params, id: str) -> Object:
    """Evidence. It is sent to the bank unless `submit` is false, and the text `winning_evidence` or `losing_evidence`
    in uncategorized_text decides, as in Stripe's test mode."""
    dispute = store.get("dispute", id)
    if dispute["status"] != "needs_response":
        raise StripeError(f"This dispute is {dispute['status']}: its evidence can no longer change.")
    dispute["metadata"] = merged(dispute["metadata"], given)
    evidence = given.get("evidence", {})
    dispute["evidence"] |= evidence
    if evidence:
        dispute["evidence_details"]["has_evidence"] = True
        if truth(given, "submit", True):
            dispute["status"] = "under_review"
            dispute["evidence_details"]["submission_count"] += 1
            dispute["evidence_details"]["submission_method"] = "manual"
    store.save(dispute)
    store.emit("charge.dispute.updated", dispute)
    verdict = dispute["evidence"]["uncategorized_text"]
    if dispute["status"] == "under_review" and verdict in ("winning_evidence", "losing_evidence"):
        return close(store, id, won=verdict == "winning_evidence")
    return dispute


@takes()
def accept(store: Store, given: Params, id: str) -> Object:
    """The dispute is given up."""
    dispute = store.get("dispute", id)
    if dispute["status"] not in ("needs_response", "under_review"):
        raise StripeError("This dispute is already closed.")
    return close(store, id, won=False)
