"""Every word of the pages of publishers, and of what an operator took down, is Chinese for those who read Chinese."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import admin
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone, translation

from marketplace.catalog import retiring, takedowns
from marketplace.catalog.models import TakeDown
from marketplace.catalog.versions import publish
from marketplace.publishers import applying
from marketplace.publishers.models import Acceptance, Application, ApplicationState
from marketplace.tasks.task import ModelSpec
from portal.accounts.models import Mail, User, Workspace
from tests.fixtures.people import signed_in
from tests.marketplace.catalog.listed import model
from tests.marketplace.publishers.people import applied, operator
from tests.portal.pages.test_pages_are_chinese import english as all_english
from tests.portal.pages.test_the_console_is_chinese import words

# Codes of languages, addresses, ids, and what people.applied says.
STAYS = {"URL", "en", "zh", "models", "id", "receipts", "Readers", "We", "read"}
SAID = {"about": "我们识别收据。", "site": "", "contact": "a@example.com", "sells": "识别模型。"}


def reader(owner: User) -> Client:
    User.objects.update(language="zh-hans")
    return signed_in(User.objects.get(pk=owner.pk))


def english(html: str) -> list[str]:
    return [word for word in all_english(html) if word not in STAYS]


def shown(browser: Client, path: str) -> list[str]:
    """The English words of a page that is there."""
    answer = browser.get(path)
    assert answer.status_code == 200, path
    return english(answer.content.decode())


def test_becoming_a_publisher(workspace: Workspace, owner: User) -> None:
    by, browser = operator(), reader(owner)
    assert shown(browser, "/publisher/apply") == []
    assert shown(browser, "/publisher/terms") == []
    refused = browser.post("/publisher/apply", {"site": "x y"})
    assert english(refused.content.decode()) == []
    for to in (ApplicationState.REFUSED, ApplicationState.APPROVED, ApplicationState.ENDED):
        asked = applying.latest(workspace)
        if asked is None or asked.state != ApplicationState.APPROVED:
            asked = applied(workspace, owner)
            Application.objects.filter(pk=asked.pk).update(**SAID)
            assert shown(browser, "/publisher/apply") == []
        applying.decide(asked, to, by, "原因在此。", timezone.now())
        assert shown(browser, "/publisher/apply") == []
    assert Mail.objects.count() == 7
    for mail in Mail.objects.all():
        assert not mail.subject.isascii(), mail.subject
        assert english(f'<main id="main">{mail.body}</main>') == [], mail.body


def test_own_models_and_what_was_taken_down(workspace: Workspace, owner: User) -> None:
    browser = reader(owner)
    assert shown(browser, "/publisher/models") == []
    one = model("net", "chat", publisher=workspace.slug, title="对话", visibility="private")
    publish(one, engine="oip", source="http://127.0.0.1:9", spec=ModelSpec())
    now = timezone.now()
    retiring.announce(one, None, now + timedelta(days=40), now, reason="有更好的。")
    for path in ("/publisher/models", "/publisher/models/net", "/models/olga"):
        assert shown(browser, path) == [], path
    for path in ("", "/price", "/shares", "/retire"):
        page = browser.post(f"/publisher/models/net{path}", {"unit_request": "x", "weight_1": "-1", "visibility": "x"})
        assert english(page.content.decode()) == [], path
    for version in (None, one.versions.get(number=1)):
        takedowns.take_down(one, version, "rights", "复制了他人的作品。", operator(), now)
    for path in ("/publisher/models", "/publisher/models/net", "/models/olga/net", "/models/olga/net/versions"):
        assert shown(browser, path) == [], path


def test_the_mails_of_take_downs(workspace: Workspace) -> None:
    one = model("net", "chat", publisher=workspace.slug, title="对话")
    with translation.override("zh-hans"):
        for version in (None, one.live_version):
            taken = TakeDown(model=one, version=version, category="harm", reason="危险。", lifted_why="有误。")
            for name in ("taken_down", "taken_down_own", "take_down_lifted"):
                said = render_to_string(
                    f"mail/marketplace/{name}.txt", {"taken": taken, "model": "olga/net", "site": "http://x"}
                )
                assert english(f'<main id="main">{said}</main>') == []


def test_the_console_of_them() -> None:
    with translation.override("zh-hans"):
        for table in (Application, Acceptance, TakeDown):
            said = " ".join(words(admin.site._registry[table]))
            assert english(f'<main id="main">{said}</main>') == [], table
