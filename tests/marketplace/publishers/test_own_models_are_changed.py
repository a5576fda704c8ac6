"""A workspace sees how its models do, and changes what their pages say, who sees them, what they cost, and when they go."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from billing.metering.models import UsageEvent
from billing.metering.rollups import roll_up
from billing.prices import book
from marketplace.catalog import retiring, shelf
from marketplace.catalog.models import Model, Split
from marketplace.catalog.resolve import forget
from marketplace.catalog.versions import publish
from marketplace.publishers import applying, rights
from marketplace.publishers.models import Application, ApplicationState
from marketplace.tasks.task import ModelSpec
from portal.accounts.models import Mail, Membership, Role, User, Workspace
from portal.kit import ids
from tests.fixtures.people import signed_in
from tests.marketplace.catalog.listed import model, names
from tests.marketplace.publishers.people import approved, operator

HERE = "/publisher/models/reader"


def given(**other: str) -> dict[str, str]:
    return {"title": "Reader", "summary": "Reads", "visibility": "private", "licence": "MIT", "languages": "en zh", "card": "# Hi", **other}  # fmt: skip


def as_member(user: User, workspace: Workspace, role: Role) -> Client:
    Membership.objects.update_or_create(user=user, workspace=workspace, defaults={"role": role})
    browser = signed_in(user)
    session = browser.session
    session["workspace"] = workspace.pk
    session.save()
    return browser


@pytest.fixture
def reader(workspace: Workspace) -> Model:
    forget()
    return model("reader", publisher=workspace.slug, visibility="private")


@pytest.fixture
def browser(owner: User, reader: Model) -> Client:
    return signed_in(owner)


def used(reader: Model, by: User) -> None:
    UsageEvent.objects.create(
        id=ids.make("use"), request_id="r", workspace_id=by.personal_workspace.pk, model=reader.slug, version_id="v",
        protocol="openai", units={"request": 1}, price_id="", cost_nanos=0, latency_ms=1, recorded_at=timezone.now(),
        seller_id=reader.publisher_id,
    )  # fmt: skip
    roll_up(timezone.now())


def test_the_list_says_how_each_does(browser: Client, reader: Model, stranger: User) -> None:
    used(reader, stranger)
    page = browser.get("/publisher/models").content.decode()
    assert "olga/reader" in page
    assert "private" in page
    assert ">1</td>" in page
    assert "olga/reader" not in signed_in(stranger).get("/publisher/models").content.decode()


def test_what_the_page_says_is_changed_and_found_at_once(browser: Client, reader: Model) -> None:
    answer = browser.post(HERE, given(title="Zebra reader", visibility="workspace", languages="EN, zh-hans"))
    assert answer.status_code == 302
    reader.refresh_from_db()
    assert (reader.title, reader.visibility, reader.languages) == ("Zebra reader", "workspace", "en zh-hans")
    assert (reader.card, reader.licence) == ("# Hi", "MIT")
    shelf.forget()
    assert names("zebra", workspace_id=reader.publisher_id) == ["reader"]
    for wrong in ({"title": ""}, {"languages": "english!"}, {"visibility": "public"}, {"visibility": "x"}):
        page = browser.post(HERE, given(**wrong))
        assert page.status_code == 422
        assert set(page.context["details"].errors) == set(wrong)
    reader.refresh_from_db()
    assert reader.visibility == "workspace"


def test_only_a_publisher_opens_a_model(browser: Client, reader: Model, workspace: Workspace, owner: User) -> None:
    assert browser.post(HERE, given(visibility="public")).status_code == 422
    approval = approved(workspace, owner)
    assert browser.post(HERE, given(visibility="unlisted")).status_code == 302
    assert Client().get("/models/olga/reader").status_code == 200
    assert Client().get("/models/olga").status_code == 200
    assert "olga/reader" not in Client().get("/models/olga").content.decode()
    assert browser.post(HERE, given(visibility="public")).status_code == 302
    assert "olga/reader" in Client().get("/models/olga").content.decode()

    applying.decide(approval, ApplicationState.ENDED, operator(), "Enough.", timezone.now())
    assert browser.post(HERE, given(visibility="public", title="Still")).status_code == 302, "what is public stays"
    assert "Still" in Client().get("/models/olga/reader").content.decode()
    assert browser.post(HERE, given(visibility="private")).status_code == 302
    assert browser.post(HERE, given(visibility="public")).status_code == 422


def test_an_approval_that_ends_meanwhile_is_seen_in_the_change_itself(reader: Model) -> None:
    from marketplace.publishers import own

    with pytest.raises(rights.NotAPublisher):
        own.change(reader, {"visibility": "public", "title": "Opened"})
    reader.refresh_from_db()
    assert (reader.visibility, reader.title) == ("private", "Reader")
    assert not Application.objects.exists()


def test_a_card_is_looked_at_before_it_is_saved(browser: Client) -> None:
    page = browser.post(f"{HERE}/card", {"card": "# Big\n\n<script>alert(1)</script> [x](javascript:alert(1))"})
    said = page.content.decode()
    assert "<h1>Big</h1>" in said
    assert "<script>" not in said
    assert "javascript:alert" not in said or "href" not in said


def test_a_price_holds_at_once_and_a_rise_in_use_is_announced(browser: Client, reader: Model, stranger: User) -> None:
    assert browser.post(f"{HERE}/price", {"unit_request": "0.001", "minimum": ""}).status_code == 302
    assert book.label(book.current(reader.pk).scheme) == "$0.001 / request"
    used(reader, stranger)
    assert browser.post(f"{HERE}/price", {"unit_request": "0.002"}).status_code == 302
    assert book.label(book.current(reader.pk).scheme) == "$0.001 / request"
    page = browser.get(HERE).content.decode()
    assert "$0.002 / request" in page
    coming = book.listed(reader.pk).first()
    assert browser.post(f"{HERE}/price/{coming.pk}/withdraw").status_code == 302
    assert "$0.002" not in browser.get(HERE).content.decode()
    soon = f"{timezone.now() + timedelta(days=2):%Y-%m-%d}"
    page = browser.post(f"{HERE}/price", {"unit_request": "0.003", "starts_on": soon})
    assert "starts_on" in page.context["price"].errors


def test_a_price_that_may_be_a_typing_error_is_confirmed(browser: Client, reader: Model) -> None:
    browser.post(f"{HERE}/price", {"unit_request": "0.001"})
    page = browser.post(f"{HERE}/price", {"unit_request": "0.5"})
    assert page.status_code == 422
    assert "I mean this price" in page.content.decode()
    assert browser.post(f"{HERE}/price", {"unit_request": "0.5", "confirmed": "on"}).status_code == 302
    assert browser.post(f"{HERE}/price", {"unit_request": "ten"}).context["price"].errors
    other = model("other")
    price = book.listed(reader.pk).first()
    assert browser.post(f"/publisher/models/other/price/{price.pk}/withdraw").status_code == 404
    assert other.pk


def test_calls_are_shared_among_versions(browser: Client, reader: Model) -> None:
    publish(reader, engine="oip", source="http://127.0.0.1:9", spec=ModelSpec())
    assert 'name="weight_2"' in browser.get(HERE).content.decode()
    assert browser.post(f"{HERE}/shares", {"weight_1": "90", "weight_2": "10"}).status_code == 302
    assert sorted(Split.objects.values_list("version__number", "weight")) == [(1, 90), (2, 10)]
    assert browser.post(f"{HERE}/shares", {"weight_1": "-1"}).status_code == 422
    assert browser.post(f"{HERE}/shares", {"weight_1": "", "weight_2": ""}).status_code == 302
    assert not Split.objects.exists()


def test_it_is_retired_with_a_day_and_a_successor(browser: Client, reader: Model, stranger: User) -> None:
    model("better", publisher="olga")
    model("hidden", publisher=stranger.personal_workspace.slug, visibility="private")
    day = f"{timezone.now() + timedelta(days=40):%Y-%m-%d}"
    page = browser.post(f"{HERE}/retire", {"ends_on": "2020-01-01", "successor": "sam/hidden"})
    assert set(page.context["retire"].errors) == {"successor"}
    page = browser.post(f"{HERE}/retire", {"ends_on": "2020-01-01"})
    assert set(page.context["retire"].errors) == {"ends_on"}
    used(reader, stranger)
    asked = {"ends_on": day, "successor": "olga/better", "reason": "Better is better."}
    assert browser.post(f"{HERE}/retire", asked).status_code == 302
    retiring.tell(timezone.now())
    assert "Better is better." in Mail.objects.get(to=stranger.email).body
    kept = reader.retirements.get()
    assert "Better is better." in browser.get(HERE).content.decode()
    assert browser.post(f"{HERE}/retire/{kept.pk}/stay").status_code == 302
    assert not reader.retirements.exists()


def test_who_may_only_look_changes_nothing(reader: Model, workspace: Workspace, teammate: User, stranger: User) -> None:
    Model.objects.filter(pk=reader.pk).update(visibility="workspace")
    viewer = as_member(teammate, workspace, Role.VIEWER)
    page = viewer.get(HERE)
    assert page.status_code == 200
    assert "<textarea" not in page.content.decode()
    for path in ("", "/price", "/shares", "/retire"):
        assert viewer.post(HERE + path, given()).status_code == 403
    Model.objects.filter(pk=reader.pk).update(visibility="private")
    assert viewer.get(HERE).status_code == 404
    assert "olga/reader" not in viewer.get("/publisher/models").content.decode()
    member = as_member(teammate, workspace, Role.MEMBER)
    assert member.post(HERE, given()).status_code == 302
    assert signed_in(stranger).get(HERE).status_code == 404
