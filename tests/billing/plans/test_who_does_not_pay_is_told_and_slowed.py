"""Dunning: grace, reduced limits, suspended, restored; a mail at each step, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing.errors import NoBudget
from billing.gate import holds, tending
from billing.ledger import postings
from billing.money import NANOS
from billing.plans import dunning, limits
from billing.plans.allowances import open_workspace, postpaid_limit
from billing.plans.models import Overdue, Subscription, SubscriptionState
from billing.plans.seeds import PAY_AS_YOU_GO, seed_plans
from inference import limits as inference_limits
from portal.accounts.keys.lookup import Caller
from portal.accounts.models import Mail, Workspace

FAILED = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def subscription(workspace: Workspace) -> Subscription:
    """On pay as you go, without credit."""
    seed_plans()
    open_workspace(workspace)
    postings.adjust(workspace.pk, "promo", -NANOS, "test:no-trial", "for a test")
    return Subscription.objects.create(
        workspace=workspace, plan_id=PAY_AS_YOU_GO, state=SubscriptionState.ACTIVE, stripe_id="sub_1"
    )


def fail(workspace: Workspace) -> None:
    dunning.begin(workspace.pk, "in_1", FAILED, 1234, "https://pay.example/in_1")


def at(days: float) -> datetime:
    now = FAILED + timedelta(days=days)
    dunning.advance(now)
    limits.forget()
    return now


def subjects() -> list[str]:
    return list(Mail.objects.order_by("pk").values_list("subject", flat=True))


def test_the_steps_come_by_the_first_failure_and_each_mails_once(
    workspace: Workspace, subscription: Subscription
) -> None:
    whole = postpaid_limit(workspace.pk)
    seen = []
    for day in (0, 6.9, 7, 7.1, 20, 21, 30):
        for _ in range(2):  # a job that runs twice, and a payment that fails again
            fail(workspace)
            at(day)
        seen.append(
            (Overdue.objects.get().step, postpaid_limit(workspace.pk), limits.requests_a_minute(workspace.pk, 600))
        )
    grace, reduced, suspended = ("grace", whole, 600), ("reduced", whole // 4, 10), ("suspended", 0, 10)
    assert seen == [grace, grace, reduced, reduced, reduced, suspended, suspended]
    assert len(subjects()) == 3
    assert all("$12.34" in subject for subject in subjects())
    assert all("https://pay.example/in_1" in body for body in Mail.objects.values_list("body", flat=True))
    subscription.refresh_from_db()
    assert subscription.state == SubscriptionState.SUSPENDED


def test_a_job_that_slept_for_weeks_goes_to_the_step_of_today(workspace: Workspace, subscription: Subscription) -> None:
    fail(workspace)
    at(40)
    assert Overdue.objects.get().step == "suspended"
    assert len(subjects()) == 2


def test_paying_restores_all_at_once(workspace: Workspace, subscription: Subscription) -> None:
    fail(workspace)
    whole = postpaid_limit(workspace.pk)
    now = at(25)
    with pytest.raises(NoBudget):
        holds.hold(workspace.pk, "", NANOS)
    assert dunning.end(workspace.pk, now)
    assert not dunning.end(workspace.pk, now)
    assert postpaid_limit(workspace.pk) == whole
    assert limits.requests_a_minute(workspace.pk, 600) == 600
    held = holds.hold(workspace.pk, "", NANOS)
    assert held.funding == "receivable"
    holds.release(held)
    tending.close_leases()
    assert subjects()[-1].startswith("Thank you")
    fail(workspace)
    assert Overdue.objects.filter(ended_at=None).get().step == "grace", "another time begins anew"


def test_who_is_suspended_can_spend_credit(workspace: Workspace, subscription: Subscription) -> None:
    fail(workspace)
    at(25)
    postings.top_up(workspace.pk, 10 * NANOS, "test:bought")
    held = holds.hold(workspace.pk, "", 2 * NANOS)
    assert held.funding == "credit"
    holds.release(held)
    tending.close_leases()


def test_the_limit_binds_on_the_hot_path(workspace: Workspace, subscription: Subscription) -> None:
    caller = Caller("key_dunned", workspace.pk, rpm=600)
    assert inference_limits.take(caller).limit == 600
    fail(workspace)
    at(8)
    allowed = [inference_limits.take(caller) for _ in range(12)]
    assert {allowance.limit for allowance in allowed} == {10}
    assert [allowance.remaining >= 0 for allowance in allowed] == [True] * 10 + [False] * 2


def test_mails_speak_the_language_of_the_account(workspace: Workspace, subscription: Subscription) -> None:
    from django.utils import translation

    from portal.accounts.models import User

    User.objects.update(language="zh-hans")
    with translation.override("en"):
        fail(workspace)
        assert translation.get_language() == "en"
    mail = Mail.objects.get()
    assert "2026" in mail.body
    assert "年" in mail.body, "the date is written as Chinese readers write it"
