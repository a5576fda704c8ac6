"""From a stranger's call to the publisher's payout: a public model of an approved publisher, used, earned, paid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from billing.earnings import accrual, audit, payouts
from billing.earnings.models import Destination, Earning, Payout, PayoutState
from billing.gate import tending
from billing.ledger import audit as ledger_audit
from billing.ledger import postings
from billing.metering.models import UsageEvent
from billing.stripe import topups, transfers
from marketplace.catalog import pricing, resolve
from marketplace.catalog.models import Model
from marketplace.catalog.versions import publish
from marketplace.publishers import own
from marketplace.tasks.task import ModelSpec
from portal.accounts.keys.issuing import issue
from portal.accounts.models import User, Workspace
from tests.billing.earnings.test_payouts_are_sent_once import ready, sent
from tests.fixtures.payments import Stripe
from tests.fixtures.people import signed_in
from tests.fixtures.upstream import Upstream
from tests.marketplace.publishers.people import approved

DOLLAR = 1_000_000_000
PRICE = 30  # dollars a request


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def writer(workspace: Workspace, owner: User, upstream: Upstream) -> Model:
    """A private model that answers, with a price."""
    made = Model.objects.create(
        publisher=workspace, name="writer", task="chat", title="Writer", summary="Writes", visibility="private"
    )
    publish(made, engine="openai", source=upstream.url, spec=ModelSpec(), options={"upstream_model": "m"})
    pricing.set_price(made, {"request": PRICE * DOLLAR * 10**6}, confirmed=True)
    return made


def call(secret: str) -> HttpResponse:
    body: dict[str, Any] = {"model": "olga/writer", "messages": [{"role": "user", "content": "hello"}]}
    answer: Any = Client().post(
        "/v1/chat/completions", body, "application/json", headers={"Authorization": f"Bearer {secret}"}
    )
    return answer  # type: ignore[no-any-return] # Django's own


def buys(at: Stripe, who: User, cents: int) -> None:
    """Credit, paid by card; a week passes until the platform may use it."""
    at.pay(topups.start(who.personal_workspace, cents, who.email, f"once{who.pk:04}", "http://x/", "http://x/"))
    at.catch_up()
    at.sandbox.control("clock", advance_s=8 * 86_400)


@pytest.mark.slow
def test_a_call_is_earned_shown_and_paid_out(
    at_stripe: Stripe, writer: Model, workspace: Workspace, owner: User, stranger: User
) -> None:
    for who in (stranger, owner):
        postings.open_accounts(who.personal_workspace.pk)  # without the trial credit, which earns nothing
        buys(at_stripe, who, 50_000)
    theirs, ours = issue(stranger.personal_workspace, "a key")[1], issue(workspace, "own")[1]
    assert call(theirs).status_code == 404, "a private model does not exist for others"

    approved(workspace, owner)
    browser = signed_in(owner)
    page = {"title": "Writer", "visibility": "public"}
    assert browser.post("/publisher/models/writer", page).status_code == 302
    resolve.forget()
    for secret in (theirs, theirs, ours):
        answer = call(secret)
        assert answer.status_code == 200, answer.content
    assert json.loads(answer.content)["choices"]
    sold = UsageEvent.objects.filter(seller_id=workspace.pk)
    assert sorted(sold.values_list("cost_nanos", flat=True)) == [PRICE * DOLLAR] * 3

    over = timezone.now() + timedelta(hours=1, minutes=6)
    tending.close_leases()
    accrual.accrue(over)
    earned = Earning.objects.get()
    assert (earned.seller, earned.model) == (workspace, "olga/writer")
    assert earned.gross_nanos == 2 * PRICE * DOLLAR, "one's own calls earn nothing"
    assert earned.net_nanos == 48 * DOLLAR
    assert "$48.00" in browser.get("/publisher").content.decode()
    row = own.figures_of([writer], workspace.pk, over)[0]
    assert (row.requests, row.earned_nanos) == (3, 48 * DOLLAR)
    assert "$48.00" in browser.get("/publisher/models").content.decode()
    said = Client().get("/v1/earnings", headers={"Authorization": f"Bearer {ours}"}).content
    assert json.loads(said)["balance"]["owed"] == "48.00"

    account = ready(at_stripe, workspace)
    mature = over + timedelta(days=8)
    payouts.request(workspace.pk, mature)
    assert transfers.send_due(mature + timedelta(minutes=1)) == 1
    assert Payout.objects.get().state == PayoutState.PAID
    assert [(one["amount"], one["destination"]) for one in sent()] == [(4_800, account.pk)]
    assert Destination.objects.get().seller == workspace
    assert not audit.differences()
    assert not ledger_audit.differences()
