"""Alerts: each threshold once a period, by mail and to webhooks, whenever a process dies."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.utils import timezone

from billing.gate import alerts, budgets, tending
from billing.gate.budgets import Wish
from billing.gate.models import Budget, Period
from billing.gate.periods import bounds
from billing.metering.models import Rollup, UsageEvent
from billing.notices import telling
from billing.notices.models import Notice
from inference.jobs import send_webhooks
from inference.later import deliveries, notices
from inference.later.models import Delivery
from portal.accounts import mails
from portal.accounts.keys.issuing import issue
from portal.accounts.models import Mail, Membership, Role, User, Workspace
from tests.billing.gate.test_a_budget_is_never_exceeded import DOLLAR, spend
from tests.fixtures.people import person
from tests.fixtures.working import Receiver

CENT = DOLLAR // 100


@pytest.fixture(autouse=True)
def _looks_at_everyone_first() -> None:
    alerts._everyone_at = None


def budget(workspace: Workspace, amount: str = "0.10", *thresholds: int, **more: object) -> Budget:
    wish = {"period": Period.MONTH, "amount": amount, "stops": False, "thresholds": thresholds or (50, 80, 100), **more}
    return budgets.make(workspace, Wish(**wish))  # type: ignore[arg-type]


def told() -> list[int]:
    return [notice.payload["threshold_percent"] for notice in Notice.objects.order_by("created_at", "pk")]


def look() -> int:
    return alerts.tell(timezone.now())


def test_each_threshold_is_told_once_and_a_budget_that_only_tells_refuses_nothing(funded: Workspace) -> None:
    budget(funded)
    for cents, expected in ((4, []), (1, [50]), (2, [50]), (1, [50, 80]), (4, [50, 80, 100]), (50, [50, 80, 100])):
        spend(funded, cents * CENT, cents * CENT)
        look()
        assert look() == 0
        assert told() == expected
    assert Mail.objects.count() == 3


def test_of_several_at_once_each_is_an_event_and_the_highest_a_mail(funded: Workspace) -> None:
    budget(funded)
    spend(funded, 9 * CENT, 9 * CENT)
    assert look() == 2
    assert told() == [50, 80]
    assert [sent.subject for sent in Mail.objects.all()] == ["80 % of “olga” is spent"]


def test_owners_and_administrators_are_told_in_their_language_and_others_are_not(
    funded: Workspace, teammate: User
) -> None:
    admin = person("ada@example.com")
    Membership.objects.create(workspace=funded, user=admin, role=Role.ADMIN)
    made = budget(funded, name="Summer project", stops=True)
    spend(funded, 5 * CENT, 5 * CENT)
    look()
    mails.send_due(timezone.now())
    assert sorted(sent.to[0] for sent in mail.outbox) == ["ada@example.com", "olga@example.com"]
    text = mail.outbox[0].subject + mail.outbox[0].body
    until = bounds(Period.MONTH, datetime.now(UTC))[1]
    assert until is not None
    for part in (
        "50 % of “Summer project”",
        "$0.05",
        "$0.10",
        "refused",
        f"{until.day} {until:%b %Y}, 00:00 UTC",
        "/billing/budgets",
    ):
        assert part in text
    mails.send_due(timezone.now())
    assert len(mail.outbox) == 2
    assert made.name == "Summer project"


def test_what_a_key_or_member_spends_counts_for_its_budget_alone(
    funded: Workspace, owner: User, teammate: User
) -> None:
    hers, his = issue(funded, "hers", owner)[0], issue(funded, "his", teammate)[0]
    budget(funded, "0.10", 100, key_id=hers.pk)
    budget(funded, "0.10", 100, member_id=owner.pk)
    budget(funded, "0.10", 100, member_id=teammate.pk)
    spend(funded, 10 * CENT, 10 * CENT, his.pk)
    look()
    assert [notice.payload["member"] for notice in Notice.objects.all()] == [teammate.email]
    spend(funded, 10 * CENT, 10 * CENT, hers.pk)
    look()
    assert sorted((n.payload["for"], n.payload["key"] or n.payload["member"]) for n in Notice.objects.all()) == [
        ("key", hers.pk), ("member", owner.email), ("member", teammate.email),
    ]  # fmt: skip


def test_a_webhook_is_told_once_signed(funded: Workspace, receiver: Receiver, settings: object) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1"]  # type: ignore[attr-defined]
    deliveries.open_endpoint(funded.pk, receiver.url, ["budget.threshold_reached"])
    made = budget(funded, "0.10", 50, name="Summer")
    spend(funded, 6 * CENT, 6 * CENT)
    look()
    send_webhooks()
    send_webhooks()
    [(headers, body)] = receiver.seen
    assert headers["webhook-signature"].startswith("v1,")
    said = json.loads(body)
    assert said["type"] == "budget.threshold_reached"
    start, end = bounds(Period.MONTH, datetime.now(UTC))
    assert end is not None
    assert said["data"] == {
        "budget": made.pk, "name": "Summer", "workspace": "olga", "for": "workspace", "key": None, "member": None,
        "period": "month", "period_start": start.isoformat(), "resets_at": end.isoformat(), "stops": False,
        "threshold_percent": 50, "amount": "0.10", "spent": "0.06",
    }  # fmt: skip


def test_a_notice_is_handed_on_once_also_when_its_process_dies_in_the_middle(
    funded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliveries._make(funded.pk, "https://example.com/hook", [])
    telling.tell(funded.pk, alerts.KIND, {"threshold_percent": 50}, "a cause")
    assert not telling.tell(funded.pk, alerts.KIND, {}, "a cause")

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(deliveries, "queue", dies)
        with pytest.raises(KeyboardInterrupt):
            notices.hand_on()
    assert not Delivery.objects.exists()
    assert (notices.hand_on(), notices.hand_on()) == (1, 0)
    assert Delivery.objects.get().payload == {"threshold_percent": 50}


def test_a_process_that_dies_while_it_tells_leaves_all_or_nothing(
    funded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget(funded)
    spend(funded, 10 * CENT, 10 * CENT)

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for target, name in ((mails, "post"), (telling, "tell"), (Budget, "save")):
        with monkeypatch.context() as patched:
            patched.setattr(target, name, dies)
            with pytest.raises(KeyboardInterrupt):
                look()
        assert (Notice.objects.count(), Mail.objects.count(), Budget.objects.get().told) == (0, 0, [])
        alerts._everyone_at = None
    assert look() == 3
    assert (told(), Mail.objects.count()) == ([50, 80, 100], 1)


def at(day: datetime, *cents: int) -> None:
    """Usage of the workspace, moved to that moment."""
    hour = day.replace(minute=0, second=0, microsecond=0)
    UsageEvent.objects.filter(recorded_at__gte=timezone.now() - timedelta(minutes=5)).update(recorded_at=day)
    Rollup.objects.update(hour=hour)


def test_the_last_events_of_a_period_are_told_in_the_next_and_that_begins_anew(funded: Workspace) -> None:
    budget(funded, period=Period.DAY)
    today = bounds(Period.DAY, datetime.now(UTC))[0]
    spend(funded, 8 * CENT, 8 * CENT)
    at(today + timedelta(hours=23, minutes=59))
    midnight = today + timedelta(days=1)
    made = Budget.objects.get()
    assert alerts.look_at(made, midnight + timedelta(seconds=5)) == 2
    assert alerts.look_at(Budget.objects.get(), midnight + timedelta(seconds=30)) == 0
    assert Budget.objects.get().told == []
    at(midnight + timedelta(minutes=1))
    assert alerts.look_at(Budget.objects.get(), midnight + timedelta(minutes=2)) == 2
    assert told() == [50, 80, 50, 80]
    assert len({notice.payload["period_start"] for notice in Notice.objects.all()}) == 2


def test_a_raised_budget_tells_again_what_it_then_reaches_and_nothing_that_it_has_reached(funded: Workspace) -> None:
    made = budget(funded)
    spend(funded, 10 * CENT, 10 * CENT)
    look()
    budgets.change(made, Wish(Period.MONTH, "0.20", False, (50, 80, 100)))
    assert Budget.objects.get().told == [50]
    look()
    spend(funded, 6 * CENT, 6 * CENT)
    look()
    assert told() == [50, 80, 100, 80]


def test_who_used_nothing_lately_is_looked_at_now_and_then(funded: Workspace) -> None:
    budget(funded)
    look()
    spend(funded, 10 * CENT, 10 * CENT)
    tending.close_leases()
    long_ago = timezone.now() - timedelta(hours=2)
    Rollup.objects.update(hour=long_ago.replace(minute=0, second=0, microsecond=0))
    if bounds(Period.MONTH, long_ago)[0] != bounds(Period.MONTH, timezone.now())[0]:
        pytest.skip("the month has just begun")
    now = timezone.now()
    assert alerts.tell(now) == 0
    assert alerts.tell(now + alerts.EVERYONE_EVERY) == 3
