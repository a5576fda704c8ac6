"""The customer's portal: subscriptions, cards and invoices."""

from __future__ import annotations

from html import escape

from billing.sandbox.errors import CardError, StripeError
from billing.sandbox.pages.checkout import question
from billing.sandbox.pages.frame import CARD_FIELDS, CARDS_TO_TRY, Page, alert, back, day, hidden, money, page, row, to
from billing.sandbox.params import Params
from billing.sandbox.resources import cards, customers, methods, periods, setup_intents, subscriptions
from billing.sandbox.store import Object, Store


def show(store: Store, id: str, error: str = "") -> Page:
    """Everything of one customer."""
    session = store.get("billing_portal.session", id)
    customer = store.get("customer", session["customer"])
    running = "".join(_subscription(s) for s in store.all("subscription", customer["id"])) or "<p>None yet.</p>"
    kept = "".join(_card(customer, m) for m in store.all("payment_method", customer["id"])) or "<p>None yet.</p>"
    found = [i for i in store.all("invoice", customer["id"]) if i["status"] != "draft"]
    body = f"""{back(session["return_url"])}<h1>Your subscription and invoices</h1>{alert(error)}{running}
<h2>Cards</h2>{kept}<details{" open" if error else ""}><summary>Add a card</summary><form method="post">{CARD_FIELDS}
<button class="quiet" name="act" value="add_card">Save this card and pay with it</button></form>{CARDS_TO_TRY}</details>
<h2>Invoices</h2>{_invoices(found)}"""
    return page("Billing portal", body, 402 if error else 200, width=36)


def press(store: Store, id: str, form: Params) -> Page:
    """Does what a button says, to this customer's own things only."""
    session = store.get("billing_portal.session", id)
    act = str(form.get("act", ""))
    if act == "add_card":
        return _add_card(store, id, session["customer"], form)
    if act in ("default_card", "remove_card"):
        _own(store, session, "payment_method", form)
        _cards(store, session["customer"], act, str(form["payment_method"]))
    elif act in ("cancel", "cancel_now", "keep"):
        subscription = _own(store, session, "subscription", form)
        if subscription["status"] not in periods.ENDED:
            _subscribe(store, act, subscription["id"])
    return to(f"/p/session/{id}")


def refused(store: Store, id: str, error: StripeError) -> Page:
    """The portal again, with the reason."""
    return show(store, id, str(error))


def _own(store: Store, session: Object, kind: str, form: Params) -> Object:
    found = store.get(kind, str(form.get(kind, "")))
    if found["customer"] != session["customer"]:
        raise StripeError(f"No such {kind}.", "resource_missing", status=404)
    return found


def _subscribe(store: Store, act: str, id: str) -> None:
    if act == "cancel_now":
        subscriptions.cancel(store, {"invoice_now": "true"}, id)
    else:
        subscriptions.update(store, {"cancel_at_period_end": str(act == "cancel").lower()}, id)


def _add_card(store: Store, id: str, customer: str, form: Params) -> Page:
    if form.get("authenticated") == "no":
        raise CardError("We are unable to authenticate your payment method.", "setup_intent_authentication_failure")
    card = cards.entered(str(form.get("card", "")))
    if card.authenticates and form.get("authenticated") != "yes":
        return question(f"/p/session/{id}", act="add_card", card=card.number)
    method = methods.make(store, card)
    setup_intents.attempt(store, setup_intents.make(store, customer, {}), method, authenticated=True)
    _cards(store, customer, "default_card", method["id"])
    return to(f"/p/session/{id}")


def _cards(store: Store, customer: str, act: str, method: str) -> None:
    if act == "remove_card":
        methods.detach(store, {}, method)
        return
    customers.update(store, {"invoice_settings": {"default_payment_method": method}}, customer)
    # A subscription's own card goes before the customer's default.
    for subscription in store.all("subscription", customer):
        if subscription["status"] not in periods.ENDED and subscription["default_payment_method"]:
            subscriptions.update(store, {"default_payment_method": method}, subscription["id"])


def _subscription(subscription: Object) -> str:
    if subscription["status"] in periods.ENDED:
        return row("Subscription", subscription["status"])
    end = day(periods.of(subscription)[1])
    ending = subscription["cancel_at_period_end"]
    act, words = ("keep", "Keep the subscription") if ending else ("cancel", f"Cancel on {end}")
    standing = "" if subscription["status"] == "active" else f" · {subscription['status'].replace('_', ' ')}"
    return (
        row("Subscription", f"{'ends' if ending else 'renews'} on {end}{standing}")
        + f'<form method="post">{hidden(subscription=subscription["id"])}'
        f'<button class="quiet" name="act" value="{act}">{words}</button>'
        f'<button class="quiet" name="act" value="cancel_now">Cancel now and invoice what was used</button></form>'
    )


def _card(customer: Object, method: Object) -> str:
    if method["type"] != "card":
        return ""
    card = method["card"]
    name = f"{card['brand'].title()} •••• {card['last4']}"
    default = customer["invoice_settings"]["default_payment_method"] == method["id"]
    choose = "" if default else '<button class="quiet" name="act" value="default_card">Pay with this card</button>'
    return (
        row(name, f"{'default · ' if default else ''}{card['exp_month']:02d}/{card['exp_year']}")
        + f'<form method="post" aria-label="{escape(name)}">{hidden(payment_method=method["id"])}{choose}'
        f'<button class="quiet" name="act" value="remove_card">Remove {escape(name)}</button></form>'
    )


def _invoices(found: list[Object]) -> str:
    if not found:
        return "<p>None yet.</p>"
    rows = "".join(
        f'<tr><td><a href="{i["hosted_invoice_url"]}">{escape(i["number"])}</a></td><td>{day(i["created"])}</td>'
        f'<td>{escape(i["status"])}</td><td><a href="{i["invoice_pdf"]}" aria-label="{escape(i["number"])} as PDF">PDF</a></td>'
        f"<td>{money(i['total'])}</td></tr>"
        for i in found
    )
    return f"<table><thead><tr><th>Number</th><th>Date</th><th>Status</th><th>PDF</th><th>Total</th></tr></thead><tbody>{rows}</tbody></table>"
