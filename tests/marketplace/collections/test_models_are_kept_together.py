"""Favourites and collections: a workspace's own, shared by link where it wants so."""

from __future__ import annotations

import pytest
from django.test import Client

from marketplace.catalog.models import Model
from marketplace.collections import keeping
from marketplace.collections.models import Collection
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in

KEEP = "/models/sam/writer/keep"


@pytest.fixture
def model(stranger: User) -> Model:
    return Model.objects.create(publisher=stranger.personal_workspace, name="writer", task="chat", title="Writer")


@pytest.fixture
def olga(model: Model, owner: User) -> Client:
    return signed_in(owner)


def test_a_star_puts_a_model_among_the_favourites_and_takes_it_out(olga: Client, workspace: Workspace) -> None:
    assert "☆ Favourite" in olga.get(KEEP).text
    for _ in range(2):  # twice is once
        olga.post(KEEP, {"kept": "yes"})
    assert "★ Favourite" in olga.get(KEEP).text
    page = olga.get(f"/collections/{keeping.favourites(workspace).pk}").text
    assert page.count("<article") == 1
    assert "★" not in olga.post(KEEP, {"kept": "no"}, headers={"HX-Request": "true"}).text


def test_a_collection_is_made_filled_and_deleted_and_its_models_stay(olga: Client, model: Model) -> None:
    made = olga.post("/collections", {"title": "  For the   report "})
    assert made.status_code == 302
    collection = Collection.objects.get(title="For the report")
    olga.post(KEEP, {"collection": collection.pk, "kept": "yes"})
    assert "✓ For the report" in olga.get(KEEP).text
    assert "1 model" in olga.get("/collections").text
    assert "sam/writer" in olga.get(f"/collections/{collection.pk}").text
    olga.post(f"/collections/{collection.pk}/delete")
    assert not Collection.objects.filter(title="For the report").exists()
    assert Model.objects.filter(pk=model.pk).exists()


@pytest.mark.parametrize(("title", "told"), [("", "Give the collection a title"), ("Twice", "There is a collection")])
def test_a_title_is_given_and_free(olga: Client, workspace: Workspace, title: str, told: str) -> None:
    keeping.make(workspace, "Twice")
    answer = olga.post("/collections", {"title": title})
    assert answer.status_code == 422
    assert told in answer.text


def test_what_is_shared_by_link_is_read_by_everybody_and_changed_by_nobody_else(
    olga: Client, workspace: Workspace, stranger: User, model: Model
) -> None:
    Model.objects.create(publisher=workspace, name="secret", task="chat", title="Hush", visibility="workspace")
    collection = keeping.make(workspace, "Ours")
    for one in Model.objects.all():
        keeping.put(collection, one, kept=True)
    page, sam = f"/collections/{collection.pk}", signed_in(stranger)
    assert [reader.get(page).status_code for reader in (olga, sam, Client())] == [200, 404, 404]
    olga.post(f"{page}/share", {"shared": "on"})
    for reader in (sam, Client()):
        shown = reader.get(page).text
        assert "sam/writer" in shown
        assert "Hush" not in shown, "a private model is not shared with its list"
        assert "Delete the collection" not in shown
    assert sam.post(f"{page}/delete").status_code == 404
    assert sam.post(KEEP, {"collection": collection.pk, "kept": "yes"}).status_code == 404
    olga.post(f"{page}/share", {})
    assert sam.get(page).status_code == 404


def test_a_collection_has_an_end(olga: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_KEPT", 0)
    assert "A collection holds 0 models at most" in olga.post(KEEP, {"kept": "yes"}, follow=True).text
