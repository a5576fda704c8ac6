"""The Checkout page."""

from __future__ import annotations

from html import escape

from billing.sandbox.errors import StripeError
from billing.sandbox.pages.frame import CARD_FIELDS, CARDS_TO_TRY, Page, alert, back, hidden, money, page, row, to
from billing.sandbox.params import Params
from billing.sandbox.resources import lines, paying, taxes
from billing.sandbox.store import Object, Store

TITLES = {"payment": "Pay", "setup": "Save a card", "subscription": "Subscribe"}
ADDRESS_FIELDS = (("line1", "Address", "address-line1"), ("city", "City", "address-level2"),
                  ("postal_code", "Postal code", "postal-code"), ("state", "State", "address-level1"))  # fmt: skip


def show(store: Store, id: str, error: str = "") -> Page:
    """The form; a session that is complete leads on to where it succeeds."""
    session = store.get("checkout.session", id)
    if session["status"] == "complete":
        return to(session["success_url"].replace("{CHECKOUT_SESSION_ID}", id))
    title = TITLES[session["mode"]]
    if session["status"] == "expired":
        return page(
            title, f"{back(session['cancel_url'])}<h1>This page has expired</h1><p>Go back and start again.</p>", 410
        )
    form = (
        f'<form method="post">{_email(session)}{CARD_FIELDS}{_address(store, session)}<button>{title}</button></form>'
    )
    if session["mode"] == "payment":
        form += _bank()
    body = f"{back(session['cancel_url'])}<h1>{title}</h1>{_items(session)}{alert(error)}{form}{CARDS_TO_TRY}"
    return page(f"Checkout: {title}", body, 402 if error else 200)


def press(store: Store, id: str, form: Params) -> Page:
    """Pays, saves or subscribes; or has the bank ask its customer first."""
    if form.get("authenticated") == "no":
        return show(store, id, "We are unable to authenticate your payment method. Choose another one and try again.")
    done = paying.pay(store, id, form)
    if isinstance(done, paying.Authenticate):
        kept = {name: str(value) for name, value in form.items() if name not in ("authenticated", "expand")}
        return question(f"/c/pay/{id}", **kept)
    return show(store, id)


def question(action: str, **kept: str) -> Page:
    """The bank's page: is it really you?"""
    body = f"""<h1>Your bank asks: is it you?</h1>
<p>This payment needs your authentication (3D Secure). A real bank would send you a code.</p>
<form method="post" action="{action}">{hidden(**kept)}
<button name="authenticated" value="yes">Complete authentication</button>
<button class="quiet" name="authenticated" value="no">Fail authentication</button></form>"""
    return page("Authentication", body)


def refused(store: Store, id: str, error: StripeError) -> Page:
    """The form again, with the reason."""
    return show(store, id, str(error))


def _items(session: Object) -> str:
    found = ""
    due = 0
    for item in session["sandbox_items"]:
        price = item["price"]
        recurring = price["recurring"]
        due += item["amount_subtotal"]
        if lines.is_metered(price):
            cost = "by usage, each month"
        else:
            cost = money(item["amount_subtotal"]) + (f" each {recurring['interval']}" if recurring else "")
        times = f"{item['quantity']} × " if (item["quantity"] or 1) > 1 else ""
        found += row(times + item["description"], cost)
    if session["mode"] == "setup":
        return "<p>Your card is kept for later payments. Nothing is charged now.</p>"
    taxed = "plus tax" if session["automatic_tax"]["enabled"] else ""
    return found + row("Due today", f"{money(due)} {taxed}", "sum")


def _email(session: Object) -> str:
    if session["customer"] or session["customer_email"]:
        return ""
    return """<label for="email">E-mail</label><input id="email" name="email" type="email" autocomplete="email" required>"""


def _address(store: Store, session: Object) -> str:
    customer = store.find("customer", session["customer"] or "")
    known = bool(customer and taxes.located(customer) and not session["sandbox_keeps_address"])
    if known or not (session["automatic_tax"]["enabled"] or session["billing_address_collection"] == "required"):
        return ""
    fields = "".join(
        f'<div><label for="{name}">{label}</label><input id="{name}" name="{name}" autocomplete="{hint}"></div>'
        for name, label, hint in ADDRESS_FIELDS
    )
    at = ((customer and customer["address"]) or {}).get("country") or "US"
    options = "".join(
        f"<option{' selected' if code == at else ''}>{code}</option>" for code in sorted({*taxes.RATES, "US"})
    )
    tax_id = '<label for="tax_id">VAT number, for businesses</label><input id="tax_id" name="tax_id">'
    return (
        f'<label for="country">Country</label><select id="country" name="country" autocomplete="country">{options}</select>'
        f'<div class="row">{fields}</div>{tax_id if session["tax_id_collection"]["enabled"] else ""}'
    )


def _bank() -> str:
    return f"""<details><summary>Pay from a bank account instead</summary><form method="post">
<label for="bank_account">Account number</label>
<input id="bank_account" name="bank_account" inputmode="numeric" value="000123456789" required>
<p class="small">Takes four days. {escape(paying.BANK_FAILS)} fails in the end.</p><button class="quiet">Pay by bank debit</button></form></details>"""
