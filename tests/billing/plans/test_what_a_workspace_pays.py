"""Which price holds between us and a workspace, and which share of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from billing.metering import recorder
from billing.metering.recorder import Usage
from billing.plans import announcing, terms
from billing.plans.models import Plan, Subscription, SubscriptionState
from billing.plans.seeds import FREE, PAY_AS_YOU_GO, seed_plans
from billing.plans.terms import terms_of
from billing.prices import firm, publishing
from billing.prices.models import Price
from portal.accounts import mails
from portal.accounts.models import User, Workspace

USED = Usage(
    request_id="req_x", workspace_id="", key_id="", model="a/b", version_id="ver_x", replica="rep_x", protocol="openai",
    units={"row": 1}, price_id="", cost_nanos=0, lease_id="", funding="", latency_ms=3,
)  # fmt: skip


def paid(workspace: Workspace) -> tuple[dict[str, int], int]:
    terms.forget()
    found = terms_of("thing", "a/b", workspace.pk)
    return dict(found.scheme.rates), found.factor_bp


def later(price: Price, **changes: object) -> None:
    """Moves a price in time, as if days had passed."""
    Price.objects.filter(pk=price.pk).update(**changes)


def test_without_a_price_it_is_free(workspace: Workspace) -> None:
    assert paid(workspace) == ({}, 10_000)


def test_a_scheduled_price_holds_from_its_start_on(workspace: Workspace) -> None:
    publishing.publish("thing", {"row": 100})
    new = publishing.publish("thing", {"row": 150})
    assert paid(workspace)[0] == {"row": 100}
    later(new, starts_at=timezone.now())
    assert paid(workspace)[0] == {"row": 150}


def test_the_plan_charges_its_percent_of_the_list_price_and_a_negotiated_price_is_what_was_agreed(
    workspace: Workspace, stranger: User
) -> None:
    seed_plans()
    Plan.objects.filter(code=PAY_AS_YOU_GO).update(price_percent=80)
    Plan.objects.filter(code=FREE).update(price_percent=120)
    publishing.publish("thing", {"row": 100})
    assert paid(workspace)[1] == 12_000
    Subscription.objects.create(workspace=workspace, plan_id=PAY_AS_YOU_GO, state=SubscriptionState.ACTIVE)
    assert paid(workspace) == ({"row": 100}, 8_000)
    publishing.negotiate("thing", workspace.pk, {"row": 90})
    assert paid(workspace) == ({"row": 90}, 10_000)
    assert paid(stranger.personal_workspace) == ({"row": 100}, 12_000)
    publishing.end_negotiated("thing", workspace.pk)
    assert paid(workspace) == ({"row": 100}, 8_000)


def test_who_used_it_before_keeps_the_older_price_until_the_day_that_was_named(
    workspace: Workspace, stranger: User
) -> None:
    recorder.record(replace(USED, workspace_id=workspace.pk))
    publishing.publish("thing", {"row": 100})
    now = timezone.now()
    new = publishing.publish(
        "thing", {"row": 150}, starts_at=now + timedelta(days=15), grandfather_until=now + timedelta(days=100)
    )
    later(new, starts_at=timezone.now())
    recorder.record(replace(USED, workspace_id=stranger.personal_workspace.pk))  # too late
    assert paid(workspace)[0] == {"row": 100}
    assert paid(stranger.personal_workspace)[0] == {"row": 150}
    later(new, grandfather_until=timezone.now())
    assert paid(workspace)[0] == {"row": 150}


def test_who_used_it_while_it_was_free_may_keep_that(workspace: Workspace) -> None:
    recorder.record(replace(USED, workspace_id=workspace.pk))
    now = timezone.now()
    new = publishing.publish("thing", {"row": 5}, grandfather_until=now + timedelta(days=9))
    later(new, starts_at=timezone.now())
    assert paid(workspace) == ({}, 10_000)


def test_a_promised_price_is_promised_with_its_share(workspace: Workspace) -> None:
    price = publishing.publish("thing", {"row": 100})
    quote_id, quote = firm.promise(workspace.pk, "thing", price.pk, 8_000)
    assert firm.read(quote_id) == quote
    assert (quote.scheme().rates, quote.factor_bp) == ({"row": 100}, 8_000)


@pytest.fixture
def customers_of_thing(workspace: Workspace, stranger: User) -> tuple[Workspace, Workspace]:
    """Two workspaces that used it lately; the second has a price of its own."""
    for user in (workspace, stranger.personal_workspace):
        recorder.record(replace(USED, workspace_id=user.pk))
    publishing.publish("thing", {"row": 100_000_000})
    publishing.negotiate("thing", stranger.personal_workspace.pk, {"row": 50_000_000})
    return workspace, stranger.personal_workspace


def test_those_who_used_it_lately_are_told_of_a_rise_once(
    customers_of_thing: tuple[Workspace, Workspace], owner: User, stranger: User
) -> None:
    publishing.publish("thing", {"row": 150_000_000})
    now = timezone.now()
    assert announcing.coming(now) == {"thing"}
    assert [announcing.announce("thing", "a/b", now) for _ in range(3)] == [1, 0, 0]
    mails.send_due(timezone.now())
    assert [letter.to for letter in mail.outbox] == [[owner.email]]
    assert "$0.00000015 / row" in mail.outbox[0].body
    assert "rises on" in mail.outbox[0].subject


def test_nobody_is_told_of_a_price_that_falls(customers_of_thing: tuple[Workspace, Workspace]) -> None:
    publishing.publish("thing", {"row": 90_000_000}, starts_at=timezone.now() + timedelta(days=20))
    assert announcing.announce("thing", "a/b", timezone.now()) == 0


def test_a_workspace_is_told_that_its_own_price_will_rise(
    customers_of_thing: tuple[Workspace, Workspace], stranger: User
) -> None:
    publishing.negotiate(
        "thing", stranger.personal_workspace.pk, {"row": 60_000_000}, starts_at=timezone.now() + timedelta(days=5)
    )
    assert announcing.announce("thing", "a/b", timezone.now()) == 1
    mails.send_due(timezone.now())
    assert [letter.to for letter in mail.outbox] == [[stranger.email]]


def test_those_who_were_told_of_a_rise_are_told_that_it_was_taken_back(
    customers_of_thing: tuple[Workspace, Workspace], owner: User
) -> None:
    rise = publishing.publish("thing", {"row": 150_000_000})
    announcing.announce("thing", "a/b", timezone.now())
    mails.send_due(timezone.now())
    assert announcing.withdraw(rise, "a/b")
    assert not announcing.withdraw(rise, "a/b")
    mails.send_due(timezone.now())
    assert [letter.to for letter in mail.outbox] == [[owner.email]] * 2
    assert f"does not rise on {rise.starts_at:%Y-%m-%d}" in mail.outbox[1].subject
    assert "$0.0000001 / row" in mail.outbox[1].body
    assert announcing.announce("thing", "a/b", timezone.now()) == 0


def test_a_rise_that_was_taken_back_before_its_mail_left_is_not_told_at_all(
    customers_of_thing: tuple[Workspace, Workspace],
) -> None:
    rise = publishing.publish("thing", {"row": 150_000_000})
    announcing.announce("thing", "a/b", timezone.now())
    assert announcing.withdraw(rise, "a/b")
    assert mails.send_due(timezone.now()) == 0
    assert mail.outbox == []


def test_a_price_that_has_started_is_not_taken_back_and_nobody_is_told(
    customers_of_thing: tuple[Workspace, Workspace],
) -> None:
    rise = publishing.publish("thing", {"row": 150_000_000})
    announcing.announce("thing", "a/b", timezone.now())
    later(rise, starts_at=timezone.now())
    assert not announcing.withdraw(rise, "a/b")
    assert mails.send_due(timezone.now()) == 1
