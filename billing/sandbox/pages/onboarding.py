"""Connect's onboarding: who is paid, and to which bank account."""

from __future__ import annotations

from billing.sandbox.errors import StripeError
from billing.sandbox.pages.frame import Page, alert, page, to
from billing.sandbox.params import Params
from billing.sandbox.resources import accounts, taxes, thin
from billing.sandbox.store import Object, Store


def show(store: Store, id: str, error: str = "") -> Page:
    """The form. A link that was used, or is too old, leads to where a new one is made."""
    link = store.get("v2.core.account_link", id)
    if _over(store, link):
        return to(_flow(link)["refresh_url"])
    account = store.get("v2.core.account", link["account"])
    here = account["sandbox_identity"]["country"].upper()
    options = "".join(f"<option{' selected' if c == here else ''}>{c}</option>" for c in sorted({*taxes.RATES, "US"}))
    body = f"""<h1>Get paid by Mercato</h1>{alert(error)}<form method="post">
<div class="row"><div><label for="given_name">First name</label><input id="given_name" name="given_name" autocomplete="given-name" required></div>
<div><label for="surname">Last name</label><input id="surname" name="surname" autocomplete="family-name" required></div></div>
<label for="country">Country</label><select id="country" name="country" autocomplete="country">{options}</select>
<label for="bank_account">Bank account number</label>
<input id="bank_account" name="bank_account" inputmode="numeric" value="000123456789" required>
<p class="small">Any 12 digits; 000111111113 is of an account that is closed.</p>
<button name="act" value="submit">Agree and submit</button>
<button class="quiet" name="act" value="later" formnovalidate>Save for later</button></form>"""
    return page("Onboarding", body, 402 if error else 200)


def press(store: Store, id: str, form: Params) -> Page:
    """The account can be paid from now on; or its owner left and comes again later."""
    link = store.get("v2.core.account_link", id)
    flow = _flow(link)
    if _over(store, link):
        return to(flow["refresh_url"])
    account = store.get("v2.core.account", link["account"])
    if form.get("act") != "later":
        digits = "".join(c for c in str(form.get("bank_account", "")) if c.isdigit())
        if len(digits) != 12 or not form.get("given_name") or not form.get("surname"):
            raise StripeError("A first name, a last name and a bank account of 12 digits are needed.")
        if digits == "000111111113":
            raise StripeError("The bank says that this account is closed. Use another one.")
        account["sandbox_identity"] |= {
            "country": str(form.get("country", "us")).lower(),
            "individual": accounts.person(store, account, str(form["given_name"]), str(form["surname"])),
        }
        store.save(account)
        if account["sandbox_status"] is not None:
            accounts.stand(store, account["id"], "active")
    store.save({**link, "sandbox_used": True})
    thin.emit(
        store,
        "v2.core.account_link.returned",
        None,
        {"account_id": account["id"], "use_case": link["use_case"]["type"], "configurations": ["recipient"]},
    )
    return to(flow["return_url"] or flow["refresh_url"])


def refused(store: Store, id: str, error: StripeError) -> Page:
    """The form again, with the reason."""
    return show(store, id, str(error))


def _flow(link: Object) -> Object:
    found: Object = link["use_case"][link["use_case"]["type"]]
    return found


def _over(store: Store, link: Object) -> bool:
    return bool(link["sandbox_used"] or link["sandbox_until"] < store.now())
