"""A workspace asks to sell, accepts the terms, and an operator decides; each step is told, and none is skipped."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connections
from django.test import Client
from django.utils import timezone

from marketplace.publishers import applying, rights, terms
from marketplace.publishers.models import Acceptance, Application, ApplicationState
from portal.accounts.models import Mail, Membership, Role, User, Workspace
from portal.kit.errors import Problem
from tests.fixtures.people import signed_in
from tests.marketplace.publishers.people import SAID, applied, approved, console, operator

S = ApplicationState


def subjects(to: str) -> list[str]:
    return list(Mail.objects.filter(to=to).order_by("pk").values_list("subject", flat=True))


def given(**other: str) -> dict[str, str]:
    return {**SAID, "terms": str(terms.current()), "accepts": "on", **other}


def test_from_the_page_to_the_console_and_back_by_mail(workspace: Workspace, owner: User) -> None:
    browser, operators = signed_in(owner), console()
    page = browser.get("/publisher/apply").content.decode()
    assert 'name="about"' in page
    assert browser.post("/publisher/apply", given()).status_code == 302
    asked = Application.objects.get()
    assert (asked.state, asked.applied_by, asked.sells) == (S.SUBMITTED, owner, SAID["sells"])
    kept = Acceptance.objects.get()
    assert (kept.version, kept.accepted_by, kept.email) == (terms.current(), owner, owner.email)
    assert "An operator looks at your application" in browser.get("/publisher/apply").content.decode()
    assert "wants to sell models" in subjects("op@example.com")[0]

    here = f"/admin/marketplace/application/{asked.pk}/change/"
    page = operators.get(here).content.decode()
    assert SAID["about"] in page
    refused = operators.post(here, {"decision": "refused", "why": ""})
    assert "Give the reason" in refused.content.decode()
    assert operators.post(here, {"decision": "approved", "why": "Welcome."}).status_code == 302
    asked.refresh_from_db()
    assert (asked.state, asked.reason, asked.decided_by.email) == (S.APPROVED, "Welcome.", "op@example.com")
    assert subjects(owner.email) == ["Your application to publish has arrived", "olga is a publisher now"]
    rights.may_sell(workspace)
    assert "Your workspace is a publisher" in browser.get("/publisher/apply").content.decode()
    page = Client().get("/models/olga").content.decode()
    assert SAID["about"] in page
    assert SAID["sells"] not in page
    assert SAID["contact"] not in page


def test_the_form_says_what_is_missing(workspace: Workspace, owner: User) -> None:
    browser = signed_in(owner)
    page = browser.post("/publisher/apply", given(accepts="", about="", site="nowhere at all"))
    assert page.status_code == 422
    assert set(page.context["form"].errors) == {"accepts", "about", "site"}
    page = browser.post("/publisher/apply", given(terms="0"))
    assert "The terms of sale have changed" in page.content.decode()
    assert not Application.objects.exists()
    assert not Acceptance.objects.exists()


def test_who_may_not_bind_the_workspace_does_not_apply(workspace: Workspace, teammate: User) -> None:
    browser = signed_in(teammate)
    session = browser.session
    session["workspace"] = workspace.pk
    session.save()
    for role in (Role.VIEWER, Role.MEMBER):
        Membership.objects.filter(user=teammate, workspace=workspace).update(role=role)
        for path in ("apply", "apply/withdraw", "about", "terms/accept"):
            assert browser.post(f"/publisher/{path}", given()).status_code == 403
        assert "Ask an owner or administrator" in browser.get("/publisher/apply").content.decode()


def test_only_what_follows_can_be_decided(workspace: Workspace, owner: User) -> None:
    """Each pair of states: it goes on as the table says, or is refused and changes nothing."""
    for before in S:
        for to in S:
            Application.objects.all().delete()
            asked = applied(workspace, owner)
            Application.objects.filter(pk=asked.pk).update(state=before)
            if to in applying.TRANSITIONS.get(before, {}) and to in applying.DECISIONS:
                applying.decide(asked, to, operator(), "because", timezone.now())
            else:
                with pytest.raises(Problem):
                    applying.decide(asked, to, operator(), "because", timezone.now())
            asked.refresh_from_db()
            assert asked.state in (before, to)


def test_a_refusal_is_told_with_its_reason_and_one_may_apply_anew(workspace: Workspace, owner: User) -> None:
    asked = applied(workspace, owner)
    with pytest.raises(Problem) as refused:
        applying.decide(asked, S.REFUSED, operator(), "  ", timezone.now())
    assert refused.value.param == "reason"
    applying.decide(asked, S.REFUSED, operator(), "Tell us which data it was trained on.", timezone.now())
    assert "which data" in Mail.objects.get(subject__contains="refused").body
    page = signed_in(owner).get("/publisher/apply").content.decode()
    assert "which data" in page
    assert SAID["about"] in page, "what was said before is there to be changed"
    assert applied(workspace, owner).pk != asked.pk


def test_two_applications_at_once_are_one(workspace: Workspace, owner: User) -> None:
    said: list[str] = []

    def ask() -> None:
        try:
            said.append(applied(workspace, owner).state)
        except Problem as problem:
            said.append(problem.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(said) == ["application_invalid"] * 3 + ["submitted"]
    assert Application.objects.count() == 1


def test_it_can_be_withdrawn_while_it_is_looked_at(workspace: Workspace, owner: User) -> None:
    browser = signed_in(owner)
    assert browser.post("/publisher/apply/withdraw").status_code == 409
    applied(workspace, owner)
    assert browser.post("/publisher/apply/withdraw").status_code == 302
    assert Application.objects.get().state == S.WITHDRAWN
    assert browser.post("/publisher/apply/withdraw").status_code == 409


def test_an_approval_ends_and_nothing_new_is_opened(workspace: Workspace, owner: User) -> None:
    found = approved(workspace, owner)
    applying.decide(found, S.ENDED, operator(), "Customers complained.", timezone.now())
    with pytest.raises(rights.NotAPublisher) as refused:
        rights.may_sell(workspace)
    assert "/publisher/apply" in refused.value.message
    rights.check(workspace, "workspace", "public")
    rights.check(workspace, "public", "public")
    for before in ("unlisted", ""):  # empty: a new model, or a new version of an open one
        with pytest.raises(rights.NotAPublisher):
            rights.check(workspace, "public", before)
    assert "Customers complained." in Mail.objects.get(subject__contains="no publisher any more").body


def test_new_terms_are_accepted_before_the_next_publication(
    workspace: Workspace, owner: User, settings: LazySettings, tmp_path: Path
) -> None:
    approved(workspace, owner)
    for name in ("1.en.md", "1.zh-hans.md"):
        (tmp_path / name).write_text((settings.PUBLISHER_TERMS_DIR / name).read_text())
    (tmp_path / "2.en.md").write_text("# Terms of sale\n\nNow with more sentences.")
    settings.PUBLISHER_TERMS_DIR = tmp_path
    with pytest.raises(rights.TermsNotAccepted):
        rights.may_sell(workspace)
    browser = signed_in(owner)
    assert "Accept it before you next" in browser.get("/publisher/apply").content.decode()
    assert browser.post("/publisher/terms/accept", {"terms": "1"}).status_code == 422
    for _ in range(2):
        assert browser.post("/publisher/terms/accept", {"terms": "2"}).status_code == 302
    rights.may_sell(workspace)
    assert sorted(Acceptance.objects.values_list("version", flat=True)) == [1, 2]
    assert "more sentences" in Client().get("/publisher/terms").content.decode()
    assert "This is an earlier version" in Client().get("/publisher/terms?version=1").content.decode()
    for wrong in ("3", "0", "x", "99999999999"):
        assert Client().get(f"/publisher/terms?version={wrong}").status_code == 404


def test_the_terms_are_read_in_both_languages() -> None:
    english = Client().get("/publisher/terms", headers={"Accept-Language": "en"}).content.decode()
    chinese = Client().get("/publisher/terms", headers={"Accept-Language": "zh-hans"}).content.decode()
    assert "Terms of sale for publishers" in english
    assert "发布者销售条款" in chinese
    for version in terms.versions():
        parts = [terms.text(version, language).count("\n## ") for language in ("en", "zh-hans")]
        assert parts[0] == parts[1] > 0


def test_what_nobody_signs_in_to_publishes_without_asking(workspace: Workspace) -> None:
    house = Workspace.objects.create(slug="mercato", name="Mercato")
    rights.may_sell(house)
    with pytest.raises(rights.NotAPublisher):
        rights.may_sell(workspace)
    assert [value for value, _label in rights.offered(workspace)] == ["private", "workspace"]
    assert [value for value, _label in rights.offered(house)] == ["private", "workspace", "unlisted", "public"]


def test_a_publisher_says_who_they_are(workspace: Workspace, owner: User) -> None:
    browser = signed_in(owner)
    assert browser.post("/publisher/about", {"about": "Us", "site": ""}).status_code == 409
    approved(workspace, owner)
    browser.post("/publisher/about", {"about": "<script>alert(1)</script>", "site": "example.org"})
    page = Client().get("/models/olga").content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "https://example.org" in page
    assert browser.post("/publisher/about", {"about": "Us", "site": "javascript:alert(1)"}).status_code == 422


def test_a_workspace_that_publishes_nothing_has_no_page(workspace: Workspace, owner: User) -> None:
    assert Client().get("/models/olga").status_code == 404
    assert Client().get("/models/nobody").status_code == 404
