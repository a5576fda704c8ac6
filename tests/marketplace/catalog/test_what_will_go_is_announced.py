"""Models and versions that will go: announced with a date, in headers, by mail, on the page; refused from that day on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from billing.metering.models import Rollup
from billing.metering.rollups import hour_of
from marketplace.catalog import retiring
from marketplace.catalog.models import Model, Retirement, Version
from marketplace.catalog.resolve import forget, resolve
from marketplace.catalog.versions import publish
from marketplace.errors import ModelGone
from marketplace.tasks.task import ModelSpec
from portal.accounts import mails
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in

MONTH = timedelta(days=30)


@pytest.fixture
def model(stranger: User) -> Model:
    made = Model.objects.create(publisher=stranger.personal_workspace, name="writer", task="chat", title="Writer")
    for _ in range(2):
        publish(made, engine="openai", source="http://127.0.0.1:9/v1", spec=ModelSpec())
    made.refresh_from_db()
    return made


def version(model: Model, number: int) -> Version:
    return model.versions.get(number=number)


def used(workspace: Workspace) -> None:
    Rollup.objects.create(
        hour=hour_of(timezone.now()),
        workspace_id=workspace.pk,
        model="sam/writer",
        key_id="",
        units={},
        cost_nanos=0,
        requests=1,
        failed=0,
    )


def test_a_version_that_goes_is_refused_from_its_day_on_and_the_others_answer(
    model: Model, workspace: Workspace
) -> None:
    other = Model.objects.create(publisher=model.publisher, name="better", task="chat", title="Better")
    now = timezone.now()
    made = retiring.announce(model, version(model, 1), now + MONTH, now, successor=other)
    forget()
    leaving = resolve("sam/writer@1", workspace.pk).leaving
    assert leaving is not None
    assert (leaving.ends_at, leaving.successor) == (made.ends_at, "sam/better")
    assert resolve("sam/writer", workspace.pk).leaving is None
    Retirement.objects.update(ends_at=now)
    forget()
    with pytest.raises(ModelGone, match="sam/writer@1 was retired on .* Use sam/better."):
        resolve("sam/writer@1", workspace.pk)
    assert resolve("sam/writer", workspace.pk).number == 2


def test_a_model_that_goes_takes_its_versions_with_it(model: Model, workspace: Workspace) -> None:
    now = timezone.now()
    retiring.announce(model, None, now + MONTH, now)
    Retirement.objects.update(ends_at=now)
    forget()
    for name in ("sam/writer", "sam/writer@1", "sam/writer@2"):
        with pytest.raises(ModelGone):
            resolve(name, workspace.pk)


@pytest.mark.parametrize(
    ("number", "days", "own", "told"),
    [
        (1, -1, False, "Choose a day in the future"),
        (2, 30, False, "This version is live"),
        (1, 30, True, "its own successor"),
    ],
)
def test_what_cannot_be_announced_is_said_so(model: Model, number: int, days: int, own: bool, told: str) -> None:
    now = timezone.now()
    with pytest.raises(retiring.RetirementInvalid, match=told):
        retiring.announce(
            model, version(model, number), now + timedelta(days=days), now, successor=model if own else None
        )
    assert not Retirement.objects.exists()


def test_who_used_it_is_told_at_once_and_a_week_before_and_once_each(model: Model, workspace: Workspace) -> None:
    used(workspace)
    now = timezone.now()
    made = retiring.announce(model, None, now + MONTH, now, reason="A better one is there.")
    assert [retiring.tell(now), retiring.tell(now + timedelta(days=1))] == [1, 0]
    soon = made.ends_at - timedelta(days=6)
    assert [retiring.tell(soon), retiring.tell(soon)] == [1, 0]
    mails.send_due(timezone.now())
    assert [one.to for one in mail.outbox] == [["olga@example.com"]] * 2
    assert mail.outbox[0].subject.startswith("sam/writer goes on")
    assert "A better one is there." in mail.outbox[0].body


def test_what_is_taken_back_stays_and_who_was_told_is_told_so(model: Model, workspace: Workspace) -> None:
    used(workspace)
    now = timezone.now()
    made = retiring.announce(model, None, now + MONTH, now)
    retiring.tell(now)
    mails.send_due(timezone.now())
    retiring.withdraw(made)
    mails.send_due(timezone.now())
    assert [one.subject for one in mail.outbox][1:] == ["sam/writer stays"]
    forget()
    assert resolve("sam/writer", workspace.pk).leaving is None


def test_the_page_says_what_goes_and_the_console_announces_it(model: Model) -> None:
    root = signed_in(User.objects.create_superuser("root@example.com", "a-long-Passw0rd"))
    page = "/admin/marketplace/retirement/add/"
    past = {
        "model": model.pk,
        "version": "",
        "ends_at_0": "2020-01-01",
        "ends_at_1": "00:00",
        "successor": "",
        "reason": "x",
    }
    assert "Choose a day in the future" in root.post(page, past).text
    day = (timezone.now() + MONTH).date().isoformat()
    assert root.post(page, {**past, "ends_at_0": day, "reason": "Too old."}).status_code == 302
    assert Retirement.objects.get().reason == "Too old."
    shown = root.get("/models/sam/writer").text
    assert "This model goes on" in shown
    assert "Too old." in shown
