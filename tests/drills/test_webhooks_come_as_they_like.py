"""A thousand deliveries over HTTP: repeated, reordered, lost and sent again; money and plans are as after the first of each."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from billing.ledger.balances import balance
from billing.plans.models import Subscription
from billing.stripe import ending, inbox
from billing.stripe.models import Invoice, Reconciliation, StripeEvent
from tests.drills.test_kill_9_of_the_sender import Sender, until
from tests.fixtures.payments import book
from tests.fixtures.reporting import Metered
from tests.fixtures.stripe import Sandbox

pytestmark = pytest.mark.slow
ROUNDS = 72


@pytest.fixture
def sandbox(tmp_path: Path, live_server: LiveServer, settings: LazySettings) -> Iterator[Sandbox]:
    """One whose webhooks come to us."""
    running = Sandbox(tmp_path / "stripe", f"{live_server.url}/stripe/webhook", f"{live_server.url}/stripe/thin")
    settings.STRIPE_WEBHOOK_SECRET = running.webhook_secret
    yield running
    running.stop()


def state(metered: Metered) -> tuple[object, ...]:
    return (
        book(),
        balance(metered.workspace.pk),
        list(Subscription.objects.order_by("pk").values_list("stripe_id", "state", "period_end", "ended_at")),
        list(Invoice.objects.order_by("pk").values_list("pk", "status", "total_cents", "paid_cents", "usage_micros")),
    )


def handled() -> None:
    """What the jobs do with events that were stored."""
    for event_id in StripeEvent.objects.filter(handled_at=None).order_by("?").values_list("pk", flat=True):
        inbox.handle(event_id)


def test_a_thousand_deliveries_repeated_reordered_and_lost_change_nothing(metered: Metered) -> None:
    metered.use(60_000_000)
    ending.end_now(metered.workspace.pk, metered.passes(minutes=1))
    sandbox = metered.sandbox
    assert all(d["delivered_at"] for d in sandbox.delivered())
    handled()
    first = state(metered)
    events = len(sandbox.control("deliveries")["deliveries"])
    assert Invoice.objects.filter(status="paid", total_cents=6).count() == 1
    sandbox.control("faults", kind="reorder", seed=11)
    sandbox.control("faults", kind="duplicate", count=40)
    sandbox.control("faults", kind="drop", count=15)
    for again in range(ROUNDS):
        if again % 24 == 0:
            StripeEvent.objects.all().delete()  # as if none had come: all is handled anew, in another order
        sandbox.control("redeliver")
        end = time.monotonic() + 5
        while not all(d["delivered_at"] for d in sandbox.control("deliveries")["deliveries"]):
            assert time.monotonic() < end
            time.sleep(0.02)
        handled()
    assert events * ROUNDS >= 1_000
    assert state(metered) == first
    assert not StripeEvent.objects.filter(handled_at=None).exists()


def test_workers_that_are_killed_while_they_handle_leave_the_rest_to_others(metered: Metered) -> None:
    """SIGKILL at any moment of it: while Stripe is asked, while it is written down, before the event is marked."""
    metered.use(60_000_000)
    ending.end_now(metered.workspace.pk, metered.passes(minutes=1))
    assert all(d["delivered_at"] for d in metered.sandbox.delivered())
    waiting, dice, killed = StripeEvent.objects.filter(handled_at=None), random.Random(5), 0
    assert waiting.filter(type="invoice.paid").exists()
    metered.fault("delay", path="/v1/", seconds=0.2, after=True, count=10_000)
    books = []
    for _ in range(10):
        while waiting.exists():
            calls, worker = len(metered.asked()), Sender(handled)
            worker.begin()
            until(lambda calls=calls: len(metered.asked()) > calls)  # type: ignore[misc]
            time.sleep(dice.uniform(0, 1))
            killed += worker.kill()
            waiting.update(claimed_until=None)  # two minutes later
        books.append(state(metered))
        StripeEvent.objects.update(handled_at=None)  # all of them once more
    assert killed > 4
    assert books == [books[0]] * 10
    assert Invoice.objects.filter(status="paid", total_cents=6).count() == 1


def test_a_thin_event_reaches_its_own_endpoint_and_has_the_day_compared_at_once(metered: Metered) -> None:
    metered.use(5_000_000)
    metered.fault("drop_usage")
    metered.report_all()
    row = Reconciliation.objects.get()
    assert row.due_at is not None
    assert row.due_at > timezone.now()
    metered.sandbox.control("clock", advance_s=1)
    assert all(d["status"] == 200 for d in metered.sandbox.delivered())
    handled()
    assert StripeEvent.objects.filter(type="v1.billing.meter.error_report_triggered").count() == 1
    row.refresh_from_db()
    assert row.due_at is not None
    assert row.due_at <= timezone.now()
