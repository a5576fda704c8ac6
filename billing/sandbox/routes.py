"""Which address does what, what the clock does, and what tests may steer."""

from __future__ import annotations

import re
from typing import Any

from billing.sandbox.clock import Due
from billing.sandbox.errors import StripeError
from billing.sandbox.params import LIST, Act, Params, takes
from billing.sandbox.resources import (
    accounts,
    catalog,
    charges,
    checkout,
    collection,
    credit_notes,
    customers,
    disputes,
    invoice_items,
    invoices,
    meters,
    methods,
    paying,
    payment_intents,
    payouts,
    periods,
    portal,
    previews,
    refunds,
    setup_intents,
    subscriptions,
    thin,
    transfers,
)
from billing.sandbox.store import Object, Store

ACCOUNT = "acct_sandbox00000000"


def _account(store: Store, given: Params) -> Object:
    return {"id": ACCOUNT, "object": "account", "country": "US", "default_currency": "usd", "charges_enabled": True}


@takes()
def _event(store: Store, given: Params, id: str) -> Object:
    return store.get("event", id)


@takes("type", "types", *LIST)
def _events(store: Store, given: Params) -> list[Object]:
    wanted = [given["type"]] if given.get("type") else given.get("types")
    return [e for e in store.all("event") if not wanted or e["type"] in wanted]


@takes()
def _tax_rate(store: Store, given: Params, id: str) -> Object:
    return store.get("tax_rate", id)


# Acts that give a list are paged by the server.
TABLE: list[tuple[str, str, Act]] = [
    ("GET", "/v1/account", _account),
    ("GET", "/v1/balance", charges.balance),
    ("GET", "/v1/balance_transactions", charges.transactions),
    ("GET", "/v1/balance_transactions/{id}", charges.transaction),
    ("POST", "/v1/customers", customers.create),
    ("GET", "/v1/customers", customers.listed),
    ("GET", "/v1/customers/{id}", customers.retrieve),
    ("POST", "/v1/customers/{id}", customers.update),
    ("DELETE", "/v1/customers/{id}", customers.delete),
    ("GET", "/v1/customers/{id}/payment_methods", methods.of_customer),
    ("GET", "/v1/customers/{id}/payment_methods/{id}", methods.one_of_customer),
    ("POST", "/v1/customers/{id}/tax_ids", customers.add_tax_id),
    ("GET", "/v1/customers/{id}/tax_ids", customers.tax_ids),
    ("DELETE", "/v1/customers/{id}/tax_ids/{id}", customers.remove_tax_id),
    ("POST", "/v1/payment_methods", methods.create),
    ("GET", "/v1/payment_methods", methods.listed),
    ("GET", "/v1/payment_methods/{id}", methods.retrieve),
    ("POST", "/v1/payment_methods/{id}", methods.update),
    ("POST", "/v1/payment_methods/{id}/attach", methods.attach),
    ("POST", "/v1/payment_methods/{id}/detach", methods.detach),
    ("POST", "/v1/payment_intents", payment_intents.create),
    ("GET", "/v1/payment_intents", payment_intents.listed),
    ("GET", "/v1/payment_intents/{id}", payment_intents.retrieve),
    ("POST", "/v1/payment_intents/{id}", payment_intents.update),
    ("POST", "/v1/payment_intents/{id}/confirm", payment_intents.confirm),
    ("POST", "/v1/payment_intents/{id}/cancel", payment_intents.cancel),
    ("POST", "/v1/setup_intents", setup_intents.create),
    ("GET", "/v1/setup_intents", setup_intents.listed),
    ("GET", "/v1/setup_intents/{id}", setup_intents.retrieve),
    ("POST", "/v1/setup_intents/{id}/confirm", setup_intents.confirm),
    ("POST", "/v1/setup_intents/{id}/cancel", setup_intents.cancel),
    ("GET", "/v1/charges", charges.listed),
    ("GET", "/v1/charges/{id}", charges.retrieve),
    ("POST", "/v1/refunds", refunds.create),
    ("GET", "/v1/refunds", refunds.listed),
    ("GET", "/v1/refunds/{id}", refunds.retrieve),
    ("POST", "/v1/refunds/{id}", refunds.update),
    ("POST", "/v1/credit_notes", credit_notes.create),
    ("GET", "/v1/credit_notes", credit_notes.listed),
    ("GET", "/v1/credit_notes/preview", credit_notes.preview),
    ("GET", "/v1/credit_notes/preview/lines", credit_notes.preview_lines),
    ("GET", "/v1/credit_notes/{id}", credit_notes.retrieve),
    ("POST", "/v1/credit_notes/{id}", credit_notes.update),
    ("GET", "/v1/credit_notes/{id}/lines", credit_notes.lines),
    ("POST", "/v1/credit_notes/{id}/void", credit_notes.void),
    ("POST", "/v1/transfers", transfers.create),
    ("GET", "/v1/transfers", transfers.listed),
    ("GET", "/v1/transfers/{id}", transfers.retrieve),
    ("POST", "/v1/transfers/{id}", transfers.update),
    ("POST", "/v1/transfers/{id}/reversals", transfers.reverse),
    ("GET", "/v1/transfers/{id}/reversals", transfers.reversals),
    ("GET", "/v1/transfers/{id}/reversals/{id}", transfers.reversal),
    ("POST", "/v1/payouts", payouts.create),
    ("GET", "/v1/payouts", payouts.listed),
    ("GET", "/v1/payouts/{id}", payouts.retrieve),
    ("POST", "/v2/core/accounts", accounts.create),
    ("GET", "/v2/core/accounts/{id}", accounts.retrieve),
    ("POST", "/v2/core/accounts/{id}", accounts.update),
    ("POST", "/v2/core/accounts/{id}/close", accounts.close),
    ("POST", "/v2/core/account_links", accounts.create_link),
    ("GET", "/v1/disputes", disputes.listed),
    ("GET", "/v1/disputes/{id}", disputes.retrieve),
    ("POST", "/v1/disputes/{id}", disputes.update),
    ("POST", "/v1/disputes/{id}/close", disputes.accept),
    ("POST", "/v1/products", catalog.create_product),
    ("GET", "/v1/products", catalog.products),
    ("GET", "/v1/products/{id}", catalog.retrieve_product),
    ("POST", "/v1/products/{id}", catalog.update_product),
    ("POST", "/v1/prices", catalog.create_price),
    ("GET", "/v1/prices", catalog.prices),
    ("GET", "/v1/prices/{id}", catalog.retrieve_price),
    ("POST", "/v1/prices/{id}", catalog.update_price),
    ("GET", "/v1/tax_rates/{id}", _tax_rate),
    ("POST", "/v1/billing/meters", meters.create),
    ("GET", "/v1/billing/meters", meters.listed),
    ("GET", "/v1/billing/meters/{id}", meters.retrieve),
    ("GET", "/v1/billing/meters/{id}/event_summaries", meters.summaries),
    ("POST", "/v1/billing/meter_events", meters.record),
    ("POST", "/v1/billing/meter_event_adjustments", meters.adjust),
    ("POST", "/v1/checkout/sessions", checkout.create),
    ("GET", "/v1/checkout/sessions", checkout.listed),
    ("GET", "/v1/checkout/sessions/{id}", checkout.retrieve),
    ("POST", "/v1/checkout/sessions/{id}", checkout.update),
    ("GET", "/v1/checkout/sessions/{id}/line_items", checkout.line_items),
    ("POST", "/v1/checkout/sessions/{id}/expire", checkout.expire),
    ("POST", "/v1/billing_portal/sessions", portal.create),
    ("POST", "/v1/subscriptions", subscriptions.create),
    ("GET", "/v1/subscriptions", subscriptions.listed),
    ("GET", "/v1/subscriptions/{id}", subscriptions.retrieve),
    ("POST", "/v1/subscriptions/{id}", subscriptions.update),
    ("DELETE", "/v1/subscriptions/{id}", subscriptions.cancel),
    ("POST", "/v1/invoices", invoices.create),
    ("GET", "/v1/invoices", invoices.listed),
    ("POST", "/v1/invoices/create_preview", previews.create),
    ("GET", "/v1/invoices/{id}", invoices.retrieve),
    ("POST", "/v1/invoices/{id}", invoices.update),
    ("DELETE", "/v1/invoices/{id}", invoices.delete),
    ("GET", "/v1/invoices/{id}/lines", invoices.lines_of),
    ("POST", "/v1/invoices/{id}/finalize", invoices.finalize),
    ("POST", "/v1/invoices/{id}/pay", invoices.pay),
    ("POST", "/v1/invoices/{id}/void", invoices.void),
    ("POST", "/v1/invoices/{id}/mark_uncollectible", invoices.mark_uncollectible),
    ("POST", "/v1/invoices/{id}/send", invoices.send),
    ("GET", "/v1/invoice_payments", invoices.payments),
    ("GET", "/v1/invoice_payments/{id}", invoices.payment),
    ("POST", "/v1/invoiceitems", invoice_items.create),
    ("GET", "/v1/invoiceitems", invoice_items.listed),
    ("GET", "/v1/invoiceitems/{id}", invoice_items.retrieve),
    ("POST", "/v1/invoiceitems/{id}", invoice_items.update),
    ("DELETE", "/v1/invoiceitems/{id}", invoice_items.delete),
    ("GET", "/v1/events", _events),
    ("GET", "/v1/events/{id}", _event),
    ("GET", "/v2/core/events/{id}", thin.retrieve),
]
ROUTES = [(verb, re.compile(f"^{path.replace('{id}', '([A-Za-z0-9_]+)')}$"), act) for verb, path, act in TABLE]

DUE: dict[str, Due] = {
    "bank": paying.bank_due,
    "cancel": subscriptions.cancel_due,
    "expire": checkout.expire_due,
    "finalize": collection.finish_due,
    "incomplete": subscriptions.give_up,
    "lose_dispute": disputes.lose,
    "period": periods.turn,
    "refund": refunds.fail_due,
    "resume": subscriptions.resume_due,
    "retry": collection.retry_due,
    "upcoming": previews.upcoming_due,
}


def _decide(store: Store, given: dict[str, Any]) -> dict[str, Any]:
    """{"dispute": id, "won": bool}: what the bank says."""
    return {"status": disputes.close(store, given["dispute"], bool(given["won"]))["status"]}


def _account_status(store: Store, given: dict[str, Any]) -> dict[str, Any]:
    """{"account": id, "status": "active" | "restricted"}: what Connect thinks of it."""
    return {"status": accounts.stand(store, given["account"], given["status"])["sandbox_status"]}


def _setting(store: Store, given: dict[str, Any]) -> dict[str, Any]:
    """{"after_retries": "cancel" | "unpaid" | "past_due"}: of a subscription when all attempts to collect failed."""
    if given.get("after_retries") not in ("cancel", "unpaid", "past_due"):
        raise StripeError("after_retries is one of cancel, unpaid and past_due.", param="after_retries")
    store.set("after_retries", given["after_retries"])
    return {}


CONTROLS = {"/sandbox/accounts": _account_status, "/sandbox/disputes": _decide, "/sandbox/settings": _setting}
