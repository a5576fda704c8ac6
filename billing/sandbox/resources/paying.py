"""What the button of the Checkout page does: once, however often it is pressed."""

from __future__ import annotations

from dataclasses import dataclass

from billing.sandbox.errors import CardError, StripeError
from billing.sandbox.params import Params
from billing.sandbox.resources import (
    cards,
    charges,
    customers,
    invoice_items,
    lines,
    methods,
    payments,
    setup_intents,
    subscriptions,
    taxes,
)  # fmt: skip
from billing.sandbox.resources.cards import TestCard
from billing.sandbox.store import Object, Store

BANK_SETTLES_S = 4 * 86400
BANK_FAILS = "000222222227"  # insufficient funds, as in Stripe's test mode; 000123456789 succeeds


@dataclass(frozen=True, slots=True)
class Authenticate:
    """The bank wants its customer to agree first."""

    card: str


def pay(store: Store, id: str, form: Params) -> Object | Authenticate:
    """The session, complete. Raises StripeError when it is over, CardError for a card that is refused."""
    session = store.get("checkout.session", id)
    if session["status"] == "complete":
        return session
    if session["status"] != "open" or session["expires_at"] < store.now():
        raise StripeError("This checkout has expired. Go back and start again.")
    if session["mode"] == "payment" and form.get("bank_account"):
        return _by_bank(store, _who(store, session, form), form)
    card = cards.entered(str(form.get("card", "")))
    if card.authenticates and form.get("authenticated") != "yes":
        return Authenticate(card.number)
    if card.refuses or (card.fails and session["amount_total"]):
        raise _refused(store, session, form, card)
    session = _who(store, session, form)
    method = methods.make(
        store,
        card,
        billing_details={
            "email": session["customer_details"]["email"],
            "address": session["customer_details"]["address"],
        },
    )
    session = {"payment": _payment, "setup": _setup, "subscription": _subscription}[session["mode"]](
        store, session, method
    )
    return _complete(store, session, "no_payment_required" if session["mode"] == "setup" else "paid")


def _refused(store: Store, session: Object, form: Params, card: TestCard) -> CardError:
    """The refusal, after what it leaves behind: a payment keeps its intent, and its failed attempts."""
    if session["mode"] == "payment":
        session = _who(store, session, form)
        try:
            payments.attempt(store, _intent(store, session), methods.make(store, card))
        except CardError as error:
            return error
    return cards.decline(card.refuses or card.fails)


def _who(store: Store, session: Object, form: Params) -> Object:
    """The session with its customer, where they live if they were asked, and the tax that follows."""
    typed = {name: str(form[name]) for name in ("country", "state", "postal_code", "line1", "city") if form.get(name)}
    email = str(form.get("email") or session["customer_details"]["email"] or "") or None
    keeps = (
        session["customer_creation"] == "always"
        or session["sandbox_data"].get("setup_future_usage")
        or session["mode"] == "setup"
    )
    if session["customer"] is None and (
        keeps or session["mode"] == "subscription" or session["automatic_tax"]["enabled"]
    ):
        session["customer"] = customers.create(store, {"email": email} if email else {})["id"]
    customer = store.find("customer", session["customer"] or "")
    if customer and typed and session["sandbox_keeps_address"]:
        customer = customers.update(store, {"address": typed}, customer["id"])
        if form.get("tax_id") and session["tax_id_collection"]["enabled"]:
            customers.add_tax_id(store, {"type": "eu_vat", "value": str(form["tax_id"])}, customer["id"])
    address = (customer and customer["address"]) or ({**customers.ADDRESS, **typed} if typed else None)
    session["customer_details"] |= {"email": email, "address": address}
    if session["automatic_tax"]["enabled"] and customer:
        taxes.require_location(customer)
        percent, *_ = taxes.rate(store, customer)
        added = 0
        for item in session["sandbox_items"]:
            inclusive = item["price"]["tax_behavior"] == "inclusive"
            item["amount_tax"] = taxes.part(item["amount_subtotal"], percent, inclusive)
            item["amount_total"] = item["amount_subtotal"] + (0 if inclusive else item["amount_tax"])
            added += item["amount_tax"]
        session["amount_total"] = sum(item["amount_total"] for item in session["sandbox_items"])
        session["total_details"]["amount_tax"] = added
        session["automatic_tax"]["status"] = "complete"
    return store.save(session)


def _intent(store: Store, session: Object) -> Object:
    known = store.find("payment_intent", session["payment_intent"] or "")
    if known:
        return store.save({**known, "amount": session["amount_total"], "customer": session["customer"]})
    made = payments.make(store, session["amount_total"], session["customer"], session["sandbox_data"])
    session["payment_intent"] = made["id"]
    store.save(session)
    return made


def _payment(store: Store, session: Object, method: Object) -> Object:
    payments.attempt(store, _intent(store, session), method, authenticated=True)
    return session


def _setup(store: Store, session: Object, method: Object) -> Object:
    intent = store.get("setup_intent", session["setup_intent"])
    intent["customer"] = session["customer"]
    setup_intents.attempt(store, intent, method, authenticated=True)
    return session


def _subscription(store: Store, session: Object, method: Object) -> Object:
    kept = methods.keep(store, method, session["customer"])
    store.save({**kept, "sandbox_set_up": True})
    items: list[Params] = []
    for item in session["sandbox_items"]:
        price = item["price"]
        if price["recurring"]:
            items.append({"price": price["id"]} | ({} if item["quantity"] is None else {"quantity": item["quantity"]}))
        else:
            now = store.now()
            # Waits for the next invoice, which is the subscription's first.
            invoice_items.make(
                store, session["customer"], item["amount_subtotal"], item["description"], (now, now),
                pricing=lines.pricing(price), quantity=item["quantity"], quantity_decimal=str(item["quantity"]),
                sandbox_tax_behavior=price["tax_behavior"],
            )  # fmt: skip
    data = session["sandbox_data"]
    subscription = subscriptions.start(
        store, session["customer"], items, default_payment_method=kept["id"], metadata=data.get("metadata", {}),
        description=data.get("description"),
        automatic_tax={"disabled_reason": None, "enabled": session["automatic_tax"]["enabled"], "liability": None},
    )  # fmt: skip
    subscription = subscriptions.begin(store, subscription)
    invoice = store.get("invoice", subscription["latest_invoice"])
    session |= {"subscription": subscription["id"], "invoice": invoice["id"], "amount_total": invoice["total"]}
    return store.save(session)


def _complete(store: Store, session: Object, payment_status: str) -> Object:
    session |= {"status": "complete", "payment_status": payment_status, "url": None}
    store.emit("checkout.session.completed", store.save(session))
    return session


def _by_bank(store: Store, session: Object, form: Params) -> Object:
    """A debit of a bank account, which takes days."""
    number = "".join(c for c in str(form["bank_account"]) if c.isdigit())
    if len(number) != 12:
        raise StripeError("A test bank account has 12 digits: 000123456789 succeeds, 000222222227 fails.")
    details = {"account_holder_type": "individual", "account_type": "checking", "bank_name": "STRIPE TEST BANK",
               "last4": number[-4:], "routing_number": "110000000"}  # fmt: skip
    blank = methods.make(store, cards.CARDS["4242424242424242"])
    method = store.save(
        {
            **{k: v for k, v in blank.items() if k != "card"},
            "type": "us_bank_account",
            "us_bank_account": details,
            "sandbox_account": number,
        }
    )
    intent = _intent(store, session)
    intent |= {"status": "processing", "payment_method": method["id"], "payment_method_types": ["us_bank_account"]}
    intent["latest_charge"] = charges.make(store, intent, method, None, pending=True)["id"]
    store.emit("payment_intent.processing", store.save(intent))
    store.schedule("bank", session["id"], store.now() + BANK_SETTLES_S)
    return _complete(store, session, "unpaid")


def bank_due(store: Store, id: str) -> None:
    """The bank has answered."""
    session = store.get("checkout.session", id)
    intent = store.get("payment_intent", session["payment_intent"])
    method = store.get("payment_method", intent["payment_method"])
    if method["sandbox_account"] == BANK_FAILS:
        message = "The customer's bank account has insufficient funds."
        error = {"type": "card_error", "code": "payment_method_provider_decline", "message": message}
        if intent["latest_charge"]:  # none where an older version took the debit
            charges.bounced(store, store.get("charge", intent["latest_charge"]), error)
        payments.fail(store, intent, method, error)
        store.emit("checkout.session.async_payment_failed", session)
        return
    payments.succeed(store, intent, method)
    session = store.save({**session, "payment_status": "paid"})
    store.emit("checkout.session.async_payment_succeeded", session)
