"""Stripe is asked while nothing is locked: usage goes on being recorded, and of two workers the later look counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import connections, transaction
from django.utils import timezone

from billing.metering import recorder
from billing.metering.recorder import Usage
from billing.stripe import client as stripe_client
from billing.stripe import inbox, invoices, mirror
from billing.stripe.handlers import HANDLERS
from billing.stripe.mirror import Mirror
from billing.stripe.models import Invoice, StripeEvent
from portal.accounts.models import Workspace
from tests.billing.stripe.test_plans_are_paid import PRO, subscribe
from tests.fixtures.payments import Stripe, book

FREE = Usage(
    request_id="req_x", workspace_id="ws_x", key_id="key_x", model="a/b", version_id="ver_x", replica="rep_x",
    protocol="openai", units={"request": 1}, price_id="", cost_nanos=7, lease_id="", funding="", latency_ms=3,
)  # fmt: skip


def beside(work: Callable[[], object]) -> threading.Thread:
    """Another worker, with a connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@dataclass
class Far:
    """An object at Stripe that changes, what was written down of it, and what happens while it is asked for."""

    state: int = 1
    written: list[int] = field(default_factory=list)
    asked: int = 0
    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def fetch(self, stripe_id: str) -> int:
        self.asked += 1
        found = self.state
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return found

    def follow(self) -> None:
        mirror.follow("in_1", self.fetch, self.written.append)

    def changes_and_is_followed(self) -> None:
        self.state += 1
        self.follow()


@pytest.mark.django_db(transaction=True)
def test_usage_is_recorded_while_stripe_takes_its_time(at_stripe: Stripe, workspace: Workspace) -> None:
    subscribe(at_stripe, workspace, PRO)
    before = book()
    StripeEvent.objects.update(handled_at=None)
    events = list(StripeEvent.objects.values_list("pk", flat=True))
    at_stripe.sandbox.control("faults", kind="delay", path="/v1", seconds=0.5, count=1000)
    worker = beside(lambda: [inbox.handle(event_id) for event_id in events])
    slowest, recorded = 0.0, 0
    while worker.is_alive():
        began = time.monotonic()
        recorder.record(FREE)
        slowest, recorded = max(slowest, time.monotonic() - began), recorded + 1
        time.sleep(0.01)
    assert not StripeEvent.objects.filter(handled_at=None).exists()
    assert book() == before
    assert recorded > 20
    assert slowest < 0.4, "it waited for an answer of Stripe's"


def test_nothing_is_asked_of_stripe_in_a_transaction(at_stripe: Stripe, workspace: Workspace) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="while a transaction is open"):
        stripe_client.client().v1.customers.list()
    assert list(stripe_client.client().v1.customers.list().data) == []


@pytest.mark.django_db
def test_who_asked_earlier_writes_nothing_over_what_was_asked_later() -> None:
    far = Far()
    far.meanwhile = [far.changes_and_is_followed]
    far.follow()
    assert far.written == [2, 2], "it asked again"
    assert Mirror.objects.get().writes == 2


@pytest.mark.django_db
def test_who_was_overtaken_twice_is_done_since_a_later_look_was_written() -> None:
    far = Far()
    far.meanwhile = [far.changes_and_is_followed, lambda: None, far.changes_and_is_followed]
    far.follow()
    assert (far.written, far.asked) == ([2, 3], 4)


@pytest.mark.django_db
def test_what_fails_while_it_is_written_counts_as_not_written() -> None:
    def fail(_found: int) -> None:
        raise ValueError

    far = Far()
    with pytest.raises(ValueError):
        mirror.follow("in_1", far.fetch, fail)
    assert not Mirror.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_end_with_the_newest_state() -> None:
    far, guard = Far(), threading.Lock()

    def changed() -> None:
        for _ in range(10):
            with guard:
                far.state += 1
            far.follow()

    workers = [beside(changed) for _ in range(4)]
    for worker in workers:
        worker.join(20)
    assert far.written == sorted(far.written)
    assert far.written[-1] == far.state == 41
    assert len(far.written) == Mirror.objects.get().writes


def arrived(at_stripe: Stripe, workspace: Workspace) -> list[StripeEvent]:
    """The events of one paid invoice, none of them handled."""
    subscribe(at_stripe, workspace, PRO)
    invoice = Invoice.objects.get(total_cents=2000)
    told = StripeEvent.objects.filter(object_id=invoice.pk)
    assert told.count() > 2
    told.update(handled_at=None)
    return list(told.order_by("pk"))


def looks(at_stripe: Stripe, event: StripeEvent) -> int:
    asked = at_stripe.sandbox.control("requests")["requests"]
    return sum(one["path"] == f"/v1/invoices/{event.object_id}" for one in asked)


def test_events_of_one_object_that_wait_are_done_with_one_look(at_stripe: Stripe, workspace: Workspace) -> None:
    events = arrived(at_stripe, workspace)
    before = looks(at_stripe, events[0])
    assert [inbox.handle(event.pk) for event in events] == [True] + [False] * (len(events) - 1)
    assert looks(at_stripe, events[0]) == before + 1
    assert not StripeEvent.objects.filter(handled_at=None).exists()


def test_an_event_that_comes_meanwhile_has_its_object_looked_at_again(
    at_stripe: Stripe, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *rest = arrived(at_stripe, workspace)
    StripeEvent.objects.filter(pk__in=[event.pk for event in [second, *rest]]).update(handled_at=timezone.now())
    before, done = looks(at_stripe, first), []

    def come(invoice_id: str) -> None:
        if not done:
            StripeEvent.objects.filter(pk=second.pk).update(handled_at=None)
            done.append(inbox.handle(first.pk))  # another worker with the same event
            done.append(inbox.handle(second.pk))
        invoices.settle(invoice_id)

    for kind in {first.type, second.type}:
        monkeypatch.setitem(HANDLERS, kind, come)
    assert inbox.handle(first.pk)
    assert done == [False, True]
    assert looks(at_stripe, first) == before + 2


def test_what_a_worker_left_that_died_is_taken_over(at_stripe: Stripe, workspace: Workspace) -> None:
    first, *_ = arrived(at_stripe, workspace)
    now = timezone.now()
    waiting = StripeEvent.objects.filter(object_id=first.object_id)
    waiting.update(claimed_until=now + timedelta(seconds=5), received_at=now - timedelta(hours=1))
    assert not inbox.handle(first.pk)
    assert inbox.stuck(now) == []
    assert first.pk in inbox.stuck(now + timedelta(seconds=6))
    waiting.update(claimed_until=now - timedelta(seconds=1))
    assert inbox.handle(first.pk)


def test_what_fails_is_free_for_the_next_worker_at_once(at_stripe: Stripe, workspace: Workspace) -> None:
    first, *_ = arrived(at_stripe, workspace)
    at_stripe.sandbox.control("faults", kind="server_error", path="/v1/invoices", count=3)
    with pytest.raises(Exception, match=""):
        inbox.handle(first.pk)
    first.refresh_from_db()
    assert (first.attempts, first.claimed_until, first.handled_at) == (1, None, None)
    assert inbox.handle(first.pk)
