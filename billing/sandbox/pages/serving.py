"""Which hosted page an address is. Each has `show`, `press` (its form was sent) and `refused`."""

from __future__ import annotations

from types import ModuleType

from billing.sandbox.errors import StripeError
from billing.sandbox.pages import authenticate, checkout, credit_note, invoice, onboarding, portal, receipt
from billing.sandbox.pages.frame import Page
from billing.sandbox.params import Params
from billing.sandbox.store import Store

PAGES: dict[str, ModuleType] = {
    "/c/pay/": checkout,
    "/c/authenticate/": authenticate,
    "/p/session/": portal,
    "/i/": invoice,
    "/cn/": credit_note,
    "/r/": receipt,
    "/connect/": onboarding,
}


def is_page(path: str) -> bool:
    """Is it for a browser?"""
    return path.startswith(tuple(PAGES))


def serve(store: Store, method: str, path: str, form: Params) -> Page:
    """The page at the path. Raises StripeError for a thing that does not exist."""
    prefix = next(p for p in PAGES if path.startswith(p))
    found, id = PAGES[prefix], path.removeprefix(prefix)
    if method == "POST":
        try:
            with store.transaction():
                page: Page = found.press(store, id, form)
        except StripeError as error:
            with store.transaction():
                page = found.refused(store, id, error)
        return page
    with store.transaction():
        page = found.show(store, id)
    return page
