"""Workspaces of people, and keys that are shown once."""

from __future__ import annotations

import threading

import pytest
from django.db import connections
from django.test import Client

from portal.accounts.keys.issuing import KeyNameInvalid, issue, revoke
from portal.accounts.keys.lookup import _recent, caller_of
from portal.accounts.models import Key, Membership, Role, User, Workspace
from portal.accounts.workspaces import open_personal
from tests.fixtures.people import PASSWORD, signed_in


def test_a_person_has_one_personal_workspace_however_often_it_is_opened(owner: User) -> None:
    def again() -> None:
        open_personal(owner)
        connections.close_all()

    threads = [threading.Thread(target=again) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Workspace.objects.filter(personal_of=owner).count() == 1
    assert Membership.objects.get(user=owner).role == Role.OWNER


def test_two_people_with_the_same_name_get_different_slugs(owner: User, transactional_db: None) -> None:
    other = User.objects.create_user("olga@other.example", PASSWORD)
    assert open_personal(other).slug != owner.personal_workspace.slug
    assert open_personal(other).slug.startswith("olga-")


def test_no_workspace_hides_behind_a_page_of_the_catalog(transactional_db: None) -> None:
    person = User.objects.create_user(email="leaderboard@example.com", password=PASSWORD)
    assert open_personal(person).slug.startswith("leaderboard-")


def test_a_key_opens_its_workspace_until_it_is_revoked_and_is_kept_as_a_hash(workspace: Workspace) -> None:
    key, secret = issue(workspace, "laptop")
    found = caller_of(secret)
    assert found is not None
    assert (found.key_id, found.workspace_id) == (key.pk, workspace.pk)
    row = Key.objects.filter(pk=key.pk).values().get()
    assert secret not in str(row)
    assert secret.startswith(key.hint[:6])
    revoke(key)
    revoke(key)
    _recent.forget()
    assert caller_of(secret) is None


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_a_key_needs_a_name(workspace: Workspace, name: str) -> None:
    with pytest.raises(KeyNameInvalid):
        issue(workspace, name)


def test_the_secret_is_in_the_answer_to_its_making_and_never_again(owner: User) -> None:
    client = signed_in(owner)
    answer = client.post("/keys", {"name": "laptop"})
    secret = answer.context["secret"]
    assert secret in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    assert secret not in client.get("/keys").content.decode()


def test_sign_up_asks_to_confirm_the_address_and_its_mail_is_in_the_mailbox(transactional_db: None) -> None:
    client = Client()
    answer = client.post("/accounts/signup/", {"email": "new@example.com", "password1": PASSWORD}, follow=True)
    assert answer.status_code == 200
    assert "new@example.com" in _mailbox(client)
    assert not client.login(email="new@example.com", password="wrong")
    user = User.objects.get(email="new@example.com")
    assert not user.emailaddress_set.get().verified


def _mailbox(client: Client) -> str:
    from django.conf import settings
    from django.core import mail

    # The test runner keeps mail in memory: put it where the portal would have.
    assert settings.MAILBOX_DIR is not None
    settings.MAILBOX_DIR.mkdir(exist_ok=True)
    for number, message in enumerate(mail.outbox):
        (settings.MAILBOX_DIR / f"{number}.log").write_bytes(message.message().as_bytes() + b"\n" + b"-" * 79 + b"\n")
    return client.get("/dev/mailbox").content.decode()


def test_a_language_of_the_account_is_used_where_the_browser_chose_none(owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(language="zh-hans")
    client = signed_in(owner)
    assert "模型" in client.get("/models").content.decode()
    client.post("/i18n/setlang/", {"language": "en", "next": "/models"})
    assert "模型" not in client.get("/models").content.decode()


def test_a_page_carries_a_strict_security_policy(transactional_db: None) -> None:
    policy = Client().get("/").headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
