"""Who sees a private, a workspace's, an unlisted and a public model: on pages, by key, and in what lists models."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from marketplace.catalog.models import Model
from marketplace.catalog.resolve import forget, resolve
from marketplace.catalog.search import Query, search
from marketplace.catalog.visibility import ANYBODY, Reader, listed
from marketplace.errors import ModelNotFound
from portal.accounts.keys.issuing import issue
from portal.accounts.models import Membership, Role, User, Workspace
from tests.fixtures.people import signed_in
from tests.marketplace.catalog.listed import model, names

ALL = {"private", "workspace", "unlisted", "public"}


@pytest.fixture
def models(workspace: Workspace) -> dict[str, Model]:
    forget()
    return {one: model(f"{one}-zebra", publisher=workspace.slug, visibility=one) for one in sorted(ALL)}


def opened(client: Client, workspace: Workspace) -> set[str]:
    """Visibilities of the models whose pages open."""
    return {one for one in ALL if client.get(f"/models/{workspace.slug}/{one}-zebra").status_code == 200}


def found(client: Client) -> set[str]:
    """Visibilities of the models that the catalog's page finds and counts."""
    page = client.get("/models?q=zebra").content.decode()
    seen = {one for one in ALL if f"{one}-zebra" in page}
    assert f"{len(seen)} model" in page or not seen
    return seen


def by_key(workspace: Workspace, path: str) -> Any:
    secret = issue(workspace, "a key")[1]
    return json.loads(Client().get(path, headers={"Authorization": f"Bearer {secret}"}).content)


@pytest.mark.usefixtures("models")
def test_each_sees_what_is_meant_for_them(workspace: Workspace, owner: User, teammate: User, stranger: User) -> None:
    member = User.objects.create_user("mia@example.com")
    Membership.objects.create(workspace=workspace, user=member, role=Role.MEMBER)
    anybody = Client()
    assert (opened(anybody, workspace), found(anybody)) == ({"unlisted", "public"}, {"public"})
    browser = signed_in(stranger)
    assert (opened(browser, workspace), found(browser)) == ({"unlisted", "public"}, {"public"})
    for user, sees in ((teammate, ALL - {"private"}), (member, ALL), (owner, ALL)):
        browser = signed_in(user)
        session = browser.session
        session["workspace"] = workspace.pk
        session.save()
        assert (opened(browser, workspace), found(browser)) == (sees, sees), user.email


def test_what_others_do_not_list_corrects_no_word_and_is_in_no_feed(models: dict[str, Model]) -> None:
    models["public"].visibility = "unlisted"
    models["public"].save()
    assert names("zebrra") == []
    assert names("zebra") == []
    assert "zebra" not in Client().get("/models/feed.xml").content.decode()
    assert not listed(ANYBODY).exists()
    assert names("zebra", workspace_id=models["public"].publisher_id)


@pytest.mark.usefixtures("models")
def test_keys_call_their_workspaces_models_and_what_is_open(workspace: Workspace, stranger: User) -> None:
    theirs = stranger.personal_workspace
    for one in ALL:
        assert resolve(f"{workspace.slug}/{one}-zebra", workspace.pk).visibility == one
    for one in ("unlisted", "public"):
        resolve(f"{workspace.slug}/{one}-zebra", theirs.pk)
    for one in ("private", "workspace"):
        with pytest.raises(ModelNotFound):
            resolve(f"{workspace.slug}/{one}-zebra", theirs.pk)
    with pytest.raises(ModelNotFound):
        resolve(f"{workspace.slug}/private-zebra", workspace.pk, changes=False)


@pytest.mark.usefixtures("models")
def test_the_api_lists_what_is_public_and_ones_own(workspace: Workspace, stranger: User) -> None:
    own = {row["id"] for row in by_key(workspace, "/v1/models")["data"]}
    others = {row["id"] for row in by_key(stranger.personal_workspace, "/v1/models")["data"]}
    assert own == {f"{workspace.slug}/{one}-zebra" for one in ALL}
    assert others == {f"{workspace.slug}/public-zebra"}
    others = {row["id"] for row in by_key(stranger.personal_workspace, "/v1/models?q=zebra")["data"]}
    assert others == {f"{workspace.slug}/public-zebra"}
    one = by_key(stranger.personal_workspace, f"/v1/models/{workspace.slug}/unlisted-zebra")
    assert one["id"] == f"{workspace.slug}/unlisted-zebra"


@pytest.mark.usefixtures("models")
def test_a_viewer_gets_no_token_for_a_private_model(workspace: Workspace, teammate: User) -> None:
    browser = signed_in(teammate)
    session = browser.session
    session["workspace"] = workspace.pk
    session.save()
    asked = {
        one: browser.post("/playground/token", {"model": f"{workspace.slug}/{one}-zebra"}, "application/json")
        for one in ("private", "workspace")
    }
    assert asked["private"].status_code == 404
    assert asked["workspace"].status_code != 404
    assert browser.get(f"/models/{workspace.slug}/private-zebra/health").status_code == 404


@pytest.mark.usefixtures("models")
def test_lists_ask_the_database_the_same_as_searches_ask_the_memory(workspace: Workspace) -> None:
    model("quagga-zebra")
    for reader in (ANYBODY, Reader(workspace.pk), Reader(workspace.pk, changes=False), Reader("ws_none")):
        kept = {one.name for one in listed(reader)}
        assert {one.name for one in search(Query("zebra"), reader).models} == kept
