"""Every object that the stand-in makes has the fields that the SDK's types promise, of their types, and no others."""

from __future__ import annotations

import importlib
import re
from decimal import Decimal
from typing import Any

import pytest
import stripe
from stripe._object_classes import OBJECT_CLASSES, V2_OBJECT_CLASSES

from tests.billing.sandbox.sdk import base_price, client_of, metered_price, someone, top_up, use, with_card
from tests.fixtures.stripe import Sandbox

SIMPLE: dict[str, Any] = {"int": int, "str": str, "bool": bool}


def faults(cls: Any, value: dict[str, Any], where: str) -> list[str]:
    """What is missing, unknown or of another type, all the way down."""
    found = []
    annotations: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        annotations |= vars(base).get("__annotations__", {})
    for name, annotation in annotations.items():
        text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
        text = text if isinstance(annotation, type) else str(annotation)
        if name.isupper() or name.startswith("_"):
            continue
        if "Optional" not in text and "None" not in text and value.get(name) is None:
            found.append(f"{where}.{name} is missing")
        plain = annotation.__name__ if isinstance(annotation, type) else ""
        if value.get(name) is not None and plain in SIMPLE and type(value[name]) is not SIMPLE[plain]:
            found.append(f"{where}.{name} is {value[name]!r}, not {plain}")
        closed = re.fullmatch(r"(?:typing\.Optional\[)?typing(?:_extensions)?\.Literal\[([^\]]*)\]\]?", text)
        if closed and value.get(name) is not None and repr(value[name]) not in closed[1].split(", "):
            found.append(f"{where}.{name} is {value[name]!r}, not of {closed[1]}")
    found += [f"{where}.{name} is unknown" for name in value if name not in annotations]
    inner = getattr(cls, "_inner_class_types", {})
    for name, below in value.items():
        for at, one in enumerate(below if isinstance(below, list) else [below]):
            if isinstance(one, dict):
                found += below_faults(inner.get(name), one, f"{where}.{name}" + (f"[{at}]" if at else ""))
    return found


def below_faults(inner: Any, value: dict[str, Any], where: str) -> list[str]:
    kind = value.get("object")
    if kind == "list":
        return [fault for one in value["data"] for fault in below_faults(None, one, f"{where}.data")]
    module, name = OBJECT_CLASSES.get(str(kind)) or V2_OBJECT_CLASSES.get(str(kind)) or ("", "")
    cls = inner or (module and getattr(importlib.import_module(module), name))
    return faults(cls, value, where) if cls else []


@pytest.fixture
def client(sandbox: Sandbox) -> stripe.StripeClient:
    return client_of(sandbox)


def test_everything_that_a_customer_a_publisher_and_an_operator_cause(
    client: stripe.StripeClient, sandbox: Sandbox
) -> None:
    v1, raw = client.v1, []
    customer = with_card(client, address={"country": "DE", "postal_code": "10115"})
    v1.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": "DE123456789"})
    _, metered = metered_price(client)
    fee, more = base_price(client), base_price(client, 5000, "Max")
    paid = top_up(client, customer.id)
    sandbox.press(paid.url, card="4000000000000077")
    for card in ("4000000000000259", "4000000000005126"):
        other = top_up(client, customer.id)
        sandbox.press(other.url, card=card)
    subscription = v1.subscriptions.create(
        {"customer": customer.id, "items": [{"price": fee.id, "quantity": 1}, {"price": metered.id}], "automatic_tax": {"enabled": True}}
    )  # fmt: skip
    use(client, customer.id, "u1", 9_000_000)
    preview = v1.invoices.create_preview({"customer": customer.id, "subscription": subscription.id})
    item = next(i for i in subscription["items"].data if i.price.id == fee.id)
    v1.subscriptions.update(subscription.id, {"items": [{"id": item.id, "price": more.id}]})
    sandbox.control("clock", advance_s=33 * 86400)
    refunded = v1.checkout.sessions.retrieve(paid.id)
    v1.refunds.create({"payment_intent": str(refunded.payment_intent), "amount": 500})
    invoice = next(
        i for i in v1.invoices.list({"customer": customer.id}).data if i.billing_reason == "subscription_cycle"
    )
    v1.credit_notes.create(
        {"invoice": invoice.id, "credit_amount": 100, "lines": [{"type": "invoice_line_item", "invoice_line_item": invoice.lines.data[0].id, "amount": 100}]}
    )  # fmt: skip
    account = client.v2.core.accounts.create(
        {"contact_email": "p@example.com", "display_name": "P", "identity": {"country": "us"}, "configuration": {"recipient": {"capabilities": {"stripe_balance": {"stripe_transfers": {"requested": True}}}}}}
    )  # fmt: skip
    link = client.v2.core.account_links.create(
        {"account": account.id, "use_case": {"type": "account_onboarding", "account_onboarding": {"refresh_url": "http://x/r", "return_url": "http://x/d"}}}
    )  # fmt: skip
    sandbox.press(link.url, given_name="P", surname="Q", country="US", bank_account="000123456789", act="submit")
    transfer = v1.transfers.create({"amount": 700, "currency": "usd", "destination": account.id})
    v1.payouts.create({"amount": 300, "currency": "usd"})
    v1.transfers.reversals.create(transfer.id, {"amount": 200})
    session = v1.billing_portal.sessions.create({"customer": customer.id, "return_url": "http://x"})
    with pytest.raises(stripe.CardError):
        v1.payment_intents.create(
            {"amount": 900, "currency": "usd", "payment_method": "pm_card_chargeCustomerFail", "confirm": True}
        )
    include: Any = {
        "include": ["configuration.recipient", "defaults", "identity", "requirements", "future_requirements"]
    }
    lists = [
        v1.customers, v1.products, v1.prices, v1.payment_intents, v1.setup_intents, v1.charges, v1.refunds, v1.credit_notes,
        v1.disputes, v1.invoices, v1.invoice_items, v1.invoice_payments, v1.subscriptions, v1.transfers, v1.payouts,
        v1.balance_transactions, v1.checkout.sessions, v1.billing.meters,
    ]  # fmt: skip
    for service in lists:
        page: Any = service.list({"limit": 100})
        assert page.data or service is v1.setup_intents, f"no {service}"
        raw += page.data
    raw += [preview, session, link, v1.balance.retrieve(), client.v2.core.accounts.retrieve(account.id, include)]
    raw += [
        v1.checkout.sessions.retrieve(
            paid.id, {"expand": ["line_items", "payment_intent.latest_charge.balance_transaction"]}
        )
    ]
    raw += v1.customers.payment_methods.list(customer.id).data
    raw += v1.customers.tax_ids.list(customer.id).data
    wrong = set()
    for thing in raw:
        wrong |= {re.sub(r"\[\d+\]", "", f) for f in below_faults(None, plain(thing), str(thing["object"]))}
    assert not wrong, "\n".join(sorted(wrong))


def plain(thing: Any) -> Any:
    """As it came over the wire."""
    if isinstance(thing, Decimal):
        return str(thing)
    if isinstance(thing, list):
        return [plain(one) for one in thing]
    if isinstance(thing, (dict, stripe.StripeObject)):
        told = thing.to_dict() if isinstance(thing, stripe.StripeObject) else thing
        return {name: plain(value) for name, value in told.items()}
    return thing


def test_the_check_sees_what_is_wrong(client: stripe.StripeClient) -> None:
    told = plain(someone(client))
    assert not below_faults(None, told, "customer")
    broken = {**told, "created": "now", "emial": "x"}
    del broken["livemode"]
    assert len(below_faults(None, broken, "customer")) == 3
