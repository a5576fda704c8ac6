"""Who updates Mercato keeps what the stand-in knew: subscriptions of an older version are invoiced further."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import stripe

from tests.billing.sandbox.sdk import client_of
from tests.billing.sandbox.test_answers_are_typed_as_the_sdk_types_them import below_faults, plain
from tests.fixtures.servers import free_port
from tests.fixtures.stripe import Sandbox

NOW = int(time.time())
PRICE: dict[str, Any] = {
    "id": "price_1", "object": "price", "created": NOW, "livemode": False, "active": True, "billing_scheme": "per_unit",
    "currency": "usd", "lookup_key": "usage", "metadata": {}, "nickname": None, "product": "prod_1",
    "recurring": {"interval_count": 1, "usage_type": "metered", "meter": "mtr_1", "interval": "month"},
    "tax_behavior": "exclusive", "type": "recurring", "unit_amount": None, "unit_amount_decimal": "0.0001",
}  # fmt: skip
LINE = {
    "id": "il_1", "object": "line_item", "amount": 0, "currency": "usd", "description": "0 × Usage",
    "period": {"start": NOW, "end": NOW}, "quantity": 0, "metadata": {}, "livemode": False,
    "pricing": {"type": "price_details", "price_details": {"price": "price_1", "product": "prod_1"}, "unit_amount_decimal": "0.0001"},
    "parent": {"type": "subscription_item_details", "subscription_item_details": {"subscription": "sub_1", "subscription_item": "si_1"}},
}  # fmt: skip
ITEM = {
    "id": "si_1", "object": "subscription_item", "created": NOW, "current_period_start": NOW, "metadata": {}, "price": PRICE,
    "current_period_end": NOW + 30 * 86400, "quantity": None, "subscription": "sub_1",
}  # fmt: skip
OBJECTS: list[dict[str, Any]] = [
    {"id": "mtr_1", "object": "billing.meter", "created": NOW, "livemode": False, "display_name": "U", "event_name": "usage",
     "default_aggregation": {"formula": "sum"}, "customer_mapping": {"type": "by_id", "event_payload_key": "stripe_customer_id"},
     "value_settings": {"event_payload_key": "value"}, "event_time_window": None, "status": "active",
     "status_transitions": {"deactivated_at": None}, "updated": NOW},
    {"id": "prod_1", "object": "product", "created": NOW, "livemode": False, "active": True, "description": None,
     "metadata": {}, "unit_label": None, "default_price": None, "name": "Usage"},
    PRICE,
    {"id": "cus_1", "object": "customer", "created": NOW, "livemode": False, "email": "a@b.co", "name": None, "description": None,
     "phone": None, "address": None, "metadata": {}, "currency": None, "balance": 0,
     "invoice_settings": {"default_payment_method": None}},
    {"id": "cs_test_1", "object": "checkout.session", "created": NOW, "livemode": False, "mode": "subscription", "status": "open",
     "payment_status": "unpaid", "customer": "cus_1", "client_reference_id": None, "success_url": "http://x", "cancel_url": None,
     "metadata": {}, "subscription": None, "expires_at": NOW + 86400, "sandbox_items": [{"price": "price_1", "quantity": None}],
     "sandbox_metadata": {}, "url": "http://x"},
    {"id": "pm_1", "object": "payment_method", "created": NOW, "livemode": False, "customer": "cus_1", "type": "card",
     "card": {"brand": "visa", "last4": "4242"}, "metadata": {}},
    {"id": "sub_1", "object": "subscription", "created": NOW, "livemode": False, "customer": "cus_1", "status": "active",
     "billing_cycle_anchor": NOW, "cancel_at_period_end": False, "cancel_at": None, "canceled_at": None, "ended_at": None,
     "collection_method": "charge_automatically", "currency": "usd", "default_payment_method": "pm_1", "metadata": {},
     "start_date": NOW, "latest_invoice": "in_1", "items": {"object": "list", "data": [ITEM], "has_more": False, "url": "/"}},
    {"id": "in_1", "object": "invoice", "created": NOW, "livemode": False, "customer": "cus_1", "currency": "usd",
     "status": "paid", "billing_reason": "subscription_create", "collection_method": "charge_automatically", "number": "SANDBOX-1",
     "period_start": NOW, "period_end": NOW, "subtotal": 0, "total": 0, "amount_due": 0, "amount_paid": 0, "amount_remaining": 0,
     "hosted_invoice_url": None, "invoice_pdf": None, "metadata": {},
     "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1", "metadata": {}}},
     "lines": {"object": "list", "data": [LINE], "has_more": False, "url": "/"}},
]  # fmt: skip


def test_a_subscription_of_before_is_invoiced_and_charged_further(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "stripe-sandbox.sqlite3")
    db.executescript(
        "CREATE TABLE objects (seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, customer TEXT, body TEXT NOT NULL);"
        "CREATE TABLE meter_events (identifier TEXT PRIMARY KEY, event_name TEXT NOT NULL, customer TEXT NOT NULL, value INTEGER NOT NULL, ts INTEGER NOT NULL);"
        "CREATE TABLE idempotency (key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL);"
    )
    for one in OBJECTS:
        told = (one["id"], one["object"], one.get("customer"), json.dumps(one))
        db.execute("INSERT INTO objects (id, kind, customer, body) VALUES (?, ?, ?, ?)", told)
    db.execute("INSERT INTO meter_events VALUES ('i', 'usage', 'cus_1', 900000, ?)", (NOW,))
    db.commit()
    db.close()
    sandbox = Sandbox(tmp_path, f"http://127.0.0.1:{free_port()}/nobody")
    try:
        client = client_of(sandbox)
        assert client.v1.checkout.sessions.retrieve("cs_test_1").status == "expired"
        sandbox.control("clock", advance_s=31 * 86400)
        newest, first = client.v1.invoices.list({"customer": "cus_1"}).data
        assert (newest.total, newest.amount_paid, newest.status) == (90, 90, "paid")
        assert (first.id, first.status) == ("in_1", "paid")
        assert [charge.amount for charge in client.v1.charges.list().data] == [90]
        v1 = client.v1
        everything: list[Any] = [*v1.invoices.list().data, *v1.subscriptions.list().data, *v1.customers.list().data]
        everything += [*v1.prices.list().data, *v1.products.list().data, *v1.checkout.sessions.list().data]
        everything += v1.customers.payment_methods.list("cus_1").data
        assert isinstance(everything[0], stripe.Invoice)
        assert [fault for one in everything for fault in below_faults(None, plain(one), str(one["object"]))] == []
        sandbox.stop()
        sandbox.start()
        assert len(client.v1.invoices.list().data) == 2
    finally:
        sandbox.stop()
