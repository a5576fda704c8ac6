"""/billing: plan, balance, cycle; and what Stripe says of the card and the next invoice, which may be away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone
from django.utils.formats import date_format

from billing.ledger import postings
from billing.money import NANOS
from billing.plans.seeds import seed_plans
from billing.stripe import client as stripe_client
from billing.stripe import reports, sending
from portal.accounts.models import User, Workspace
from tests.billing.stripe.test_stripe_and_we_agree import subscribed, used
from tests.fixtures.people import signed_in
from tests.fixtures.stripe import Sandbox


@pytest.fixture
def wired(sandbox: Sandbox, settings: LazySettings, workspace: Workspace) -> Iterator[Sandbox]:
    settings.STRIPE_API_BASE = sandbox.url
    settings.STRIPE_WEBHOOK_SECRET = sandbox.webhook_secret
    stripe_client.client.cache_clear()
    seed_plans()
    yield sandbox
    stripe_client.client.cache_clear()


def test_the_card_and_the_invoice_so_far_are_what_stripe_says(
    wired: Sandbox, workspace: Workspace, owner: User, teammate: User
) -> None:
    subscribed(wired, workspace)
    used(workspace, 123_456_789)
    reports.flush(workspace.pk, timezone.now())
    sending.send_due(timezone.now() + timedelta(minutes=2))
    part = signed_in(owner).get("/billing/at-stripe").content.decode()
    for shown in ('id="preview-total">$0.12<', "Both agree to the cent.", "visa", "•••• 4242"):
        assert shown in part
    assert 'id="statement-total">$0.12<' in signed_in(owner).get("/billing").content.decode()
    viewer = signed_in(teammate)
    viewer.post("/settings/workspace", {"workspace": workspace.pk})
    part = viewer.get("/billing/at-stripe").content.decode()
    assert "$0.12" in part
    assert "4242" not in part

    wired.stop()
    answer = signed_in(owner).get("/billing/at-stripe")
    assert answer.status_code == 200
    assert "does not answer" in answer.content.decode()
    assert signed_in(owner).get("/billing").status_code == 200
    wired.start()


def test_lots_are_shown_with_their_end_and_a_forecast_waits_for_two_days(funded: Workspace, owner: User) -> None:
    seed_plans()
    until = timezone.now() + timedelta(days=20)
    postings.top_up(funded.pk, 7 * NANOS, "topup:1", "by card", until)
    page = signed_in(owner).get("/billing").content.decode()
    for shown in (
        "$8.00",
        "$7.00",
        f"expires {date_format(until, 'DATETIME_FORMAT')} UTC",
        "does not expire",
        "needs two whole days",
    ):
        assert shown in page
