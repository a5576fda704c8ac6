"""Mail that must arrive: posted once, in each person's language, sent once by whoever comes first."""

from __future__ import annotations

import smtplib
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.utils import timezone

from portal.accounts import mails
from portal.accounts.models import Mail, Membership, Role, User, Workspace


@pytest.fixture(autouse=True)
def _template(settings: Any, tmp_path: Any) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "test.txt").write_text("About {{ thing }}\n\nSee {{ site }}.\n")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [*settings.TEMPLATES[0]["DIRS"], tmp_path]}]


def test_owners_and_administrators_get_it_once(workspace: Workspace, owner: User, teammate: User) -> None:
    for _ in range(3):
        mails.post("thing:1", workspace.pk, "test.txt", {"thing": "bread"})
    assert list(Mail.objects.values_list("to", "subject")) == [(owner.email, "About bread")]
    Membership.objects.filter(user=teammate, workspace=workspace).update(role=Role.ADMIN)
    assert mails.post("thing:2", workspace.pk, "test.txt", {"thing": "salt"}) == 2


def test_it_is_sent_once(workspace: Workspace) -> None:
    mails.post("thing:1", workspace.pk, "test.txt", {"thing": "bread"})
    assert [mails.send_due(timezone.now()) for _ in range(3)] == [1, 0, 0]
    assert [m.subject for m in outbox.outbox] == ["About bread"]
    assert "http" in outbox.outbox[0].body


def test_a_server_that_refuses_gets_it_again_later(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    mails.post("thing:1", workspace.pk, "test.txt", {"thing": "bread"})
    now = timezone.now()
    with monkeypatch.context() as broken:
        # The one thing that cannot run here is somebody else's mail server.
        def refuse(self: Any, fail_silently: bool = False) -> int:
            raise smtplib.SMTPServerDisconnected

        broken.setattr("django.core.mail.EmailMessage.send", refuse)
        assert mails.send_due(now) == 0
    assert mails.send_due(now) == 0
    assert mails.send_due(now + timedelta(minutes=6)) == 1
    assert Mail.objects.get().attempts == 2


def test_operators_get_theirs(workspace: Workspace, owner: User) -> None:
    assert mails.post_to_operators("thing:1", "test.txt") == 0
    User.objects.filter(pk=owner.pk).update(is_staff=True)
    assert mails.post_to_operators("thing:1", "test.txt") == 1
