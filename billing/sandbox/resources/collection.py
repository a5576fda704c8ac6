"""Collecting invoices: charged automatically, tried again for a week, paid by hand, or given up."""

from __future__ import annotations

from billing.sandbox.errors import CardError, StripeError
from billing.sandbox.resources import drafts, payments, standing
from billing.sandbox.store import Object, Store

RETRY_AFTER_S = (3 * 86400, 2 * 86400, 2 * 86400)  # after the first failure, and each that follows


def finish(store: Store, invoice: Object) -> Object:
    """Makes a draft final and collects it."""
    invoice = drafts.finalize(store, invoice)
    subscription = store.find("subscription", drafts.subscription_of(invoice) or "")
    paused = subscription and subscription["pause_collection"]
    if paused and paused["behavior"] in ("void", "mark_uncollectible"):
        return close(store, invoice, "void" if paused["behavior"] == "void" else "uncollectible")
    if invoice["amount_due"] == 0:
        return _paid(store, invoice, None)
    _intent(store, invoice)
    invoice = store.get("invoice", invoice["id"])
    if invoice["collection_method"] == "charge_automatically" and invoice["auto_advance"]:
        return attempt_quietly(store, invoice)
    return invoice


def finish_due(store: Store, id: str) -> None:
    """A draft is old enough."""
    invoice = store.find("invoice", id)
    if invoice and invoice["status"] == "draft" and invoice["auto_advance"]:
        finish(store, invoice)


def _intent(store: Store, invoice: Object) -> Object:
    """The payment of the invoice: one, however often it is attempted."""
    known = payment_of(store, invoice)
    if known:
        return known
    about = {"description": f"Invoice {invoice['number']}", "setup_future_usage": None}
    intent = payments.make(
        store, invoice["amount_remaining"], invoice["customer"], about, sandbox_invoice=invoice["id"]
    )
    body = {
        "amount_paid": None,
        "amount_requested": invoice["amount_remaining"],
        "currency": "usd",
        "invoice": invoice["id"],
        "is_default": True,
        "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
        "sandbox_customer": invoice["customer"],
    }
    store.create("invoice_payment", "inpay", body)
    secret = {"client_secret": intent["client_secret"], "type": "payment_intent"}
    store.save({**invoice, "confirmation_secret": secret})
    return intent


def payments_of(store: Store, invoice: Object) -> list[Object]:
    """The payments of the invoice, the default one first."""
    return [p for p in store.all("invoice_payment", invoice["customer"]) if p["invoice"] == invoice["id"]]


def payment_of(store: Store, invoice: Object) -> Object | None:
    """The invoice's payment intent that can still pay it."""
    for one in payments_of(store, invoice):
        intent = store.find("payment_intent", one["payment"]["payment_intent"])
        if intent and intent["status"] not in ("canceled", "succeeded"):
            return intent
    return None


def default_method(store: Store, invoice: Object) -> Object | None:
    """The card to charge: the invoice's, its subscription's, or the customer's default."""
    subscription = store.find("subscription", drafts.subscription_of(invoice) or "")
    customer = store.get("customer", invoice["customer"])
    for id in (
        invoice["default_payment_method"],
        subscription and subscription["default_payment_method"],
        customer["invoice_settings"]["default_payment_method"],
    ):
        method = store.find("payment_method", id or "")
        if method and method["customer"] == customer["id"]:
            return method
    return None


def attempt(store: Store, invoice: Object, method: Object | None = None, authenticated: bool = False) -> Object:
    """Charges an open invoice. When that fails it stays open, and is tried again later. Raises CardError."""
    intent = _intent(store, invoice)
    invoice = store.get("invoice", invoice["id"])
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1}
    store.save(invoice)
    method = method or default_method(store, invoice)
    if method is not None:
        try:
            asked = {**intent, "amount": invoice["amount_remaining"]}
            intent = payments.attempt(store, asked, method, authenticated=authenticated)
        except CardError:
            _failed(store, invoice)
            raise
    if intent["status"] == "succeeded":
        return _paid(store, invoice, intent)
    return _failed(store, invoice, waits=intent["status"] == "requires_action")


def attempt_quietly(store: Store, invoice: Object) -> Object:
    """Charges it; nobody is there to be told of a refusal."""
    try:
        return attempt(store, invoice)
    except CardError:
        return store.get("invoice", invoice["id"])


def retry_due(store: Store, id: str) -> None:
    """Another attempt is due."""
    invoice = store.get("invoice", id)
    if invoice["status"] == "open" and invoice["auto_advance"]:
        attempt_quietly(store, invoice)


def settle(store: Store, intent: Object) -> None:
    """A payment ended in another way than by an attempt (its customer authenticated it): does its invoice know?"""
    id = intent.get("sandbox_invoice")
    if not id or intent["status"] != "succeeded":
        return
    invoice = store.get("invoice", id)
    if invoice["status"] in ("open", "uncollectible"):
        _paid(store, invoice, intent)


def _failed(store: Store, invoice: Object, waits: bool = False) -> Object:
    tried = invoice["attempt_count"]
    automatic = invoice["collection_method"] == "charge_automatically" and invoice["auto_advance"]
    given_up = automatic and tried > len(RETRY_AFTER_S)
    if automatic and not given_up:
        due = store.now() + RETRY_AFTER_S[tried - 1]
        store.schedule("retry", invoice["id"], due)
        invoice["next_payment_attempt"] = due
    else:
        invoice["next_payment_attempt"] = None
    store.save(invoice)
    if waits:
        store.emit("invoice.payment_action_required", invoice)
    store.emit("invoice.payment_failed", invoice)
    store.emit("invoice.updated", invoice)
    standing.unpaid(store, invoice, given_up)
    return invoice


def _paid(store: Store, invoice: Object, intent: Object | None) -> Object:
    now, amount = store.now(), intent["amount_received"] if intent else 0
    for one in payments_of(store, invoice):
        if intent and one["payment"]["payment_intent"] == intent["id"]:
            one |= {
                "status": "paid",
                "amount_paid": amount,
                "status_transitions": {"canceled_at": None, "paid_at": now},
            }
            store.emit("invoice_payment.paid", store.save(one))
    paid = invoice["amount_paid"] + amount
    invoice |= {
        "status": "paid",
        "attempted": True,
        "amount_paid": paid,
        "amount_remaining": max(invoice["amount_due"] - paid, 0),
        "next_payment_attempt": None,
        "status_transitions": {**invoice["status_transitions"], "paid_at": now},
    }
    store.save(invoice)
    store.emit("invoice.updated", invoice)
    store.emit("invoice.paid", invoice)
    store.emit("invoice.payment_succeeded", invoice)
    standing.cleared(store, invoice)
    return invoice


def pay_out_of_band(store: Store, invoice: Object) -> Object:
    """It was paid elsewhere."""
    intent = payment_of(store, invoice)
    if intent:
        store.save({**intent, "status": "canceled", "canceled_at": store.now()})
    invoice |= {"amount_paid_off_stripe": invoice["amount_remaining"], "amount_paid": invoice["amount_remaining"]}
    return _paid(store, invoice, None)


def forgive(store: Store, invoice: Object) -> Object:
    """Nothing is owed any more."""
    intent = payment_of(store, invoice)
    if intent:
        store.emit("payment_intent.canceled", store.save({**intent, "status": "canceled", "canceled_at": store.now()}))
    return _paid(store, invoice, None)


def close(store: Store, invoice: Object, status: str) -> Object:
    """No longer collected: void, or uncollectible. Raises StripeError unless it is open (or uncollectible, to void)."""
    if invoice["status"] not in (("open", "uncollectible") if status == "void" else ("open",)):
        raise StripeError(
            f"You can only mark open invoices as {status}: this one is {invoice['status']}.", param="invoice"
        )
    intent = payment_of(store, invoice)
    if intent and status == "void":
        store.emit("payment_intent.canceled", store.save({**intent, "status": "canceled", "canceled_at": store.now()}))
    event, moment = (
        ("invoice.voided", "voided_at")
        if status == "void"
        else ("invoice.marked_uncollectible", "marked_uncollectible_at")
    )
    invoice |= {
        "status": status,
        "next_payment_attempt": None,
        "auto_advance": False,
        "status_transitions": {**invoice["status_transitions"], moment: store.now()},
    }
    if status == "void":
        invoice["amount_remaining"] = 0
    store.save(invoice)
    store.emit(event, invoice)
    standing.cleared(store, invoice)
    return invoice
