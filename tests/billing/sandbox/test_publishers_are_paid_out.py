"""Connect: a publisher goes through the hosted form, is paid by transfers, and thin events say what changed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import stripe

from tests.billing.sandbox.sdk import client_of, kinds, with_card
from tests.fixtures.stripe import SECRET, Sandbox

RECIPIENT: Any = {"recipient": {"capabilities": {"stripe_balance": {"stripe_transfers": {"requested": True}}}}}


@pytest.fixture
def client(sandbox: Sandbox) -> stripe.StripeClient:
    return client_of(sandbox)


def publisher(client: stripe.StripeClient) -> Any:
    return client.v2.core.accounts.create(
        {
            "contact_email": "p@example.com",
            "display_name": "Paula",
            "dashboard": "express",
            "identity": {"country": "us"},
            "defaults": {"responsibilities": {"fees_collector": "application", "losses_collector": "application"}},
            "configuration": RECIPIENT,
            "include": ["configuration.recipient", "requirements"],
            "metadata": {"workspace": "ws_1"},
        }
    )


def link(client: stripe.StripeClient, account: str) -> str:
    made = client.v2.core.account_links.create(
        {
            "account": account,
            "use_case": {
                "type": "account_onboarding",
                "account_onboarding": {"refresh_url": "http://localhost/again", "return_url": "http://localhost/done"},
            },
        }
    )
    return made.url


def onboard(client: stripe.StripeClient, sandbox: Sandbox, account: str) -> str:
    person = {"given_name": "Paula", "surname": "Pub", "country": "US", "bank_account": "000123456789"}
    return sandbox.press(link(client, account), act="submit", **person)


def status(client: stripe.StripeClient, account: str) -> str:
    found = client.v2.core.accounts.retrieve(account, {"include": ["configuration.recipient"]})
    return str(found.configuration.recipient.capabilities.stripe_balance.stripe_transfers.status)  # type: ignore[union-attr]


def funds(client: stripe.StripeClient, cents: int) -> None:
    customer = with_card(client, "pm_card_bypassPending")
    method = client.v1.customers.payment_methods.list(customer.id).data[0]
    client.v1.payment_intents.create(
        {"amount": cents, "currency": "usd", "customer": customer.id, "payment_method": method.id, "confirm": True}
    )


def test_a_publisher_can_be_paid_after_the_form(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    account = publisher(client)
    assert status(client, account.id) == "restricted"
    assert len(account.requirements.entries) == 3
    assert client.v2.core.accounts.retrieve(account.id).configuration is None, "only what is asked for"
    again = link(client, account.id)
    assert sandbox.press(again, act="later") == "http://localhost/done"
    assert sandbox.press(again, act="later") == "http://localhost/again", "a link is used once"
    assert "is closed" in sandbox.press(
        link(client, account.id), act="submit", given_name="P", surname="P", bank_account="000111111113"
    )
    assert status(client, account.id) == "restricted"
    assert onboard(client, sandbox, account.id) == "http://localhost/done"
    assert status(client, account.id) == "active"
    found = client.v2.core.accounts.retrieve(account.id, {"include": ["requirements", "identity"]})
    assert found.requirements is not None
    assert found.requirements.entries == []
    assert found.metadata is not None
    assert found.metadata.to_dict() == {"workspace": "ws_1"}
    stale = link(client, account.id)
    sandbox.control("clock", advance_s=3600)
    assert sandbox.press(stale, act="later") == "http://localhost/again"


def test_a_transfer_needs_a_publisher_who_can_be_paid_and_money(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    account = publisher(client)
    order: Any = {
        "amount": 1000,
        "currency": "usd",
        "destination": account.id,
        "transfer_group": "pay_1",
        "metadata": {"payout": "pay_1"},
    }
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.transfers.create(order)
    assert caught.value.code == "insufficient_capabilities_for_transfer"
    onboard(client, sandbox, account.id)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.transfers.create(order)
    assert caught.value.code == "balance_insufficient"
    funds(client, 2000)
    made = client.v1.transfers.create(order, {"idempotency_key": "payout-1"})
    assert client.v1.transfers.create(order, {"idempotency_key": "payout-1"}).id == made.id
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.transfers.create(order)
    assert caught.value.code == "balance_insufficient", "what was paid out is not there again"
    assert [t.id for t in client.v1.transfers.list({"destination": account.id}).data] == [made.id]
    moved = client.v1.balance_transactions.retrieve(str(made.balance_transaction))
    assert (moved.type, moved.net, moved.source) == ("transfer", -1000, made.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.transfers.create({**order, "destination": "acct_nobody"})


def test_a_transfer_is_taken_back_once(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    account = publisher(client)
    onboard(client, sandbox, account.id)
    funds(client, 5000)
    made = client.v1.transfers.create({"amount": 3000, "currency": "usd", "destination": account.id})
    first = client.v1.transfers.reversals.create(made.id, {"amount": 1000})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.transfers.reversals.create(made.id, {"amount": 2001})
    client.v1.transfers.reversals.create(made.id)
    found = client.v1.transfers.retrieve(made.id)
    assert (found.amount_reversed, found.reversed, len(found.reversals.data)) == (3000, True, 2)
    assert client.v1.transfers.reversals.retrieve(made.id, first.id).amount == 1000
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.transfers.reversals.create(made.id)
    assert [kinds(client).count(kind) for kind in ("transfer.created", "transfer.reversed")] == [1, 2]


def test_an_account_that_closes_can_no_longer_be_paid(client: stripe.StripeClient, sandbox: Sandbox) -> None:
    account = publisher(client)
    onboard(client, sandbox, account.id)
    sandbox.control("accounts", account=account.id, status="restricted")
    assert status(client, account.id) == "restricted"
    sandbox.control("accounts", account=account.id, status="active")
    assert client.v2.core.accounts.close(account.id, {"applied_configurations": ["recipient"]}).closed is True
    funds(client, 5000)
    for refuse in (
        lambda: client.v1.transfers.create({"amount": 100, "currency": "usd", "destination": account.id}),
        lambda: link(client, account.id),
    ):
        with pytest.raises(stripe.InvalidRequestError):
            refuse()


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[tuple[Sandbox, list[tuple[bytes, str]]]]:
    """A sandbox whose thin events are heard."""
    said: list[tuple[bytes, str]] = []

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said.append((self.rfile.read(int(self.headers["Content-Length"])), self.headers["Stripe-Signature"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    running = Sandbox(tmp_path / "stripe", f"http://127.0.0.1:{server.server_port}/hook")
    yield running, said
    running.stop()
    server.shutdown()
    server.server_close()


def test_thin_events_are_signed_and_lead_to_the_account(heard: tuple[Sandbox, list[tuple[bytes, str]]]) -> None:
    sandbox, said = heard
    client = client_of(sandbox)
    account = publisher(client)
    onboard(client, sandbox, account.id)
    sandbox.delivered()
    thin = [(body, signature) for body, signature in said if json.loads(body)["object"] == "v2.core.event"]
    types = []
    for body, signature in thin:
        notice: Any = client.parse_event_notification(body, signature, SECRET)
        types.append(notice.type)
        assert "data" not in json.loads(body)
        if notice.type == "v2.core.account_link.returned":
            assert notice.fetch_event().data.account_id == account.id
        else:
            assert notice.fetch_related_object().id == account.id
        if notice.type.endswith("capability_status_updated"):
            assert notice.fetch_event().data.updated_capability == "stripe_balance.stripe_transfers"
    assert sorted(types) == sorted(
        [
            "v2.core.account.created",
            "v2.core.account[requirements].updated",
            "v2.core.account[configuration.recipient].capability_status_updated",
            "v2.core.account_link.returned",
        ]
    )
    with pytest.raises(stripe.SignatureVerificationError):
        client.parse_event_notification(thin[0][0] + b" ", thin[0][1], SECRET)
