"""Subscriptions, webhooks, reports and the statement, over the wire with the stand-in for Stripe."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from billing.metering import rollups
from billing.metering.models import UsageEvent
from billing.plans import subscribing
from billing.plans.models import Plan, Subscription, SubscriptionState
from billing.plans.seeds import PAY_AS_YOU_GO, seed_plans
from billing.sandbox.deliveries import signature
from billing.statements.statement import statement
from billing.stripe import checkout, inbox, previews, reports, sending
from billing.stripe import client as stripe_client
from billing.stripe.models import Invoice, Report, ReportState, StripeEvent
from portal.accounts.models import Workspace
from portal.kit import ids
from tests.fixtures.stripe import Sandbox


@pytest.fixture
def wired(sandbox: Sandbox, settings: LazySettings, workspace: Workspace) -> Iterator[Sandbox]:
    """Our Stripe code, talking to the sandbox."""
    settings.STRIPE_API_BASE = sandbox.url
    settings.STRIPE_WEBHOOK_SECRET = sandbox.webhook_secret
    stripe_client.client.cache_clear()
    seed_plans()
    yield sandbox
    stripe_client.client.cache_clear()


def events(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Every event that the sandbox would deliver, the oldest first."""
    return [e.to_dict() for e in stripe_client.client().v1.events.list({"limit": 100}).data][::-1]


def deliver(sandbox: Sandbox, event: dict[str, Any]) -> None:
    body = json.dumps(event, default=str).encode()
    event_id = inbox.receive(body, signature(body, sandbox.webhook_secret, int(time.time())))
    if event_id:
        inbox.handle(event_id)


def subscribed(sandbox: Sandbox, workspace: Workspace) -> Subscription:
    plan = Plan.objects.get(pk=PAY_AS_YOU_GO)
    url = checkout.start(workspace, plan, "olga@example.com", "http://x/?s={CHECKOUT_SESSION_ID}", "http://x/")
    sandbox.press(url, card="4242 4242 4242 4242")
    for event in events(sandbox):
        deliver(sandbox, event)
    running = subscribing.running(workspace.pk)
    assert running is not None
    return running


def used(workspace: Workspace, nanos: int) -> None:
    UsageEvent.objects.create(
        id=ids.make("use"), request_id="req_x", workspace_id=workspace.pk, model="a/b", version_id="v", protocol="openai",
        units={"request": 1}, price_id="p", cost_nanos=nanos, lease_id="lease_x", funding="receivable", latency_ms=1,
        recorded_at=timezone.now(),
    )  # fmt: skip
    rollups.roll_up(timezone.now())


def test_checkout_and_the_webhook_make_the_plan_active(wired: Sandbox, workspace: Workspace) -> None:
    running = subscribed(wired, workspace)
    assert (running.state, running.plan_id) == (SubscriptionState.ACTIVE, PAY_AS_YOU_GO)
    assert running.period_end is not None
    assert Invoice.objects.get(workspace=workspace).status == "paid"
    with pytest.raises(Exception, match="already"):
        checkout.start(workspace, running.plan, "olga@example.com", "http://x/", "http://x/")


def test_metered_usage_reaches_the_invoice_to_the_cent_and_the_remainder_is_carried(
    wired: Sandbox, workspace: Workspace
) -> None:
    running = subscribed(wired, workspace)
    dice = random.Random(3)
    for _ in range(12):
        used(workspace, dice.randrange(1, 30_000_000))
        reports.flush(workspace.pk, timezone.now())
    assert sending.send_due(timezone.now() + timedelta(minutes=2)) >= 1
    assert reports.make(timezone.now()) == 0, "what is covered is not reported again"
    assert running.period_start is not None
    assert running.period_end is not None
    ours = statement(workspace.pk, running.period_start, running.period_end)
    told = sum(Report.objects.values_list("value", flat=True))
    assert told == ours.micros
    assert reports.carried_nanos(workspace.pk) == ours.carried_out_nanos
    assert previews.preview_cents(running) == ours.total_cents > 0


def test_a_period_that_ends_within_an_hour_is_split_as_stripe_splits_it(wired: Sandbox, workspace: Workspace) -> None:
    running = subscribed(wired, workspace)
    used(workspace, 40_000_000)
    reports.make(timezone.now())
    # The period ends now, in the middle of the hour; what is used from here on belongs to the next one.
    boundary = timezone.now() + timedelta(milliseconds=1)
    time.sleep(0.01)
    used(workspace, 70_000_000)
    reports.make(timezone.now())
    assert running.period_start is not None
    assert statement(workspace.pk, running.period_start, boundary).total_cents == 4
    assert statement(workspace.pk, boundary, boundary + timedelta(days=30)).total_cents == 7


def test_a_reply_that_is_lost_and_a_sender_that_dies_count_once(wired: Sandbox, workspace: Workspace) -> None:
    running = subscribed(wired, workspace)
    used(workspace, 50_000_000)
    reports.make(timezone.now())
    wired.control("faults", kind="lose_reply", path="/v1/billing/meter_events", count=9)
    sending.send_due(timezone.now())
    wired.control("faults", kind="rate_limit", path="/v1/billing/meter_events", count=1)
    # A sender that was killed left the report behind as being sent.
    Report.objects.update(state=ReportState.SENDING, next_attempt_at=timezone.now() - timedelta(minutes=5))
    for hours in range(2, 18, 2):
        sending.send_due(timezone.now() + timedelta(hours=hours))
    assert Report.objects.get().state == ReportState.ACCEPTED
    assert previews.preview_cents(running) == 5


def test_webhooks_repeated_and_reordered_lead_to_the_same_state(wired: Sandbox, workspace: Workspace) -> None:
    subscribed(wired, workspace)
    stripe = stripe_client.client()
    running = subscribing.running(workspace.pk)
    assert running is not None
    stripe.v1.subscriptions.cancel(str(running.stripe_id), {"invoice_now": True, "prorate": False})
    all_events = events(wired)
    states = set()
    dice = random.Random(11)
    for _ in range(5):
        StripeEvent.objects.all().delete()
        Invoice.objects.all().delete()
        Subscription.objects.all().delete()
        shuffled = [event for event in all_events for _ in range(dice.randint(1, 3))]
        dice.shuffle(shuffled)
        for event in shuffled:
            deliver(wired, event)
        found = Subscription.objects.get()
        states.add((found.state, found.stripe_id, Invoice.objects.count()))
    assert len(states) == 1
    assert states.pop()[0] == SubscriptionState.ENDED


@pytest.mark.parametrize("trick", ["forged", "old", "changed", "huge", "empty", "no json"])
def test_a_webhook_that_stripe_did_not_send_changes_nothing(wired: Sandbox, workspace: Workspace, trick: str) -> None:
    subscribed(wired, workspace)
    before = (StripeEvent.objects.count(), Subscription.objects.values_list("state", "period_end").get())
    event = {**events(wired)[-1], "id": "evt_new", "type": "customer.subscription.deleted"}
    body = b"{}" if trick == "empty" else b"nope" if trick == "no json" else json.dumps(event, default=str).encode()
    secret = "whsec_wrong" if trick == "forged" else wired.webhook_secret
    signed = signature(body, secret, int(time.time()) - (3600 if trick == "old" else 0))
    if trick == "changed":
        body += b" "
    if trick == "huge":
        body = b" " * (inbox.MOST_BYTES + 1)
    answer = Client().post(
        "/stripe/webhook", body, content_type="application/json", headers={"stripe-signature": signed}
    )
    assert answer.status_code in (400, 413)
    assert "error" in answer.json()
    assert (StripeEvent.objects.count(), Subscription.objects.values_list("state", "period_end").get()) == before


def test_a_replayed_webhook_is_accepted_and_done_once(wired: Sandbox, workspace: Workspace) -> None:
    subscribed(wired, workspace)
    event = next(e for e in events(wired) if e["type"] == "checkout.session.completed")
    body = json.dumps(event, default=str).encode()
    signed = signature(body, wired.webhook_secret, int(time.time()))
    before = StripeEvent.objects.count()
    for _ in range(3):
        answer = Client().post(
            "/stripe/webhook", body, content_type="application/json", headers={"stripe-signature": signed}
        )
        assert answer.status_code == 200
    assert StripeEvent.objects.count() == before


def test_a_payment_settles_what_was_owed_once(wired: Sandbox, workspace: Workspace) -> None:
    from billing.ledger.balances import balance
    from billing.ledger.postings import pay_invoice

    for _ in range(3):
        pay_invoice(workspace.pk, 250, "invoice:in_1:paid")
    assert balance(workspace.pk).owed_nanos == -2_500_000_000


def test_stripe_that_is_away_is_said_so_and_nothing_is_half_done(wired: Sandbox, workspace: Workspace) -> None:
    stripe_client.account()
    wired.stop()
    with pytest.raises(Exception, match="nothing was changed") as caught:
        checkout.start(workspace, Plan.objects.get(pk=PAY_AS_YOU_GO), "olga@example.com", "http://x/", "http://x/")
    assert getattr(caught.value, "status", 0) == 503
    assert not Subscription.objects.exists()
    wired.start()
