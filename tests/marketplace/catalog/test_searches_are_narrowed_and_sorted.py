"""Facets with how many models each choice leaves, orders, and what a search never shows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from marketplace.catalog import listings
from marketplace.catalog.listings import Use
from marketplace.catalog.models import Listing, Model
from marketplace.catalog.search import SearchInvalid
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in
from tests.marketplace.catalog.listed import found, model, names, shop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _four() -> None:
    model("free", "image-classification", licence="MIT", metrics={"accuracy": 0.91}, languages="en zh")
    model("cheap", "image-classification", usd_nanos=10**5, licence="MIT", metrics={"accuracy": 0.97}, context=8192)
    model("dear", "image-classification", usd_nanos=10**8, licence="BSD", metrics={"accuracy": 0.5})
    model("talker", "chat", usd_nanos=10**6, publisher="other", licence="BSD", languages="zh")
    listings.note_use({"acme/dear": Use(90, 20.0), "other/talker": Use(7, 700.0), "acme/gone": Use(1, 1.0)})


def counts(facet: str, **chosen: list[str]) -> dict[str, int]:
    return {choice.value: choice.count for choice in found(**chosen).facets[facet]}


@pytest.mark.usefixtures("_four")
def test_each_facet_says_how_many_models_it_leaves() -> None:
    assert counts("task") == {"image-classification": 3, "chat": 1}
    assert counts("modality") == {"vision": 3, "language": 1}
    assert counts("licence") == {"MIT": 2, "BSD": 2}
    assert counts("publisher") == {"acme": 3, "other": 1}
    assert counts("price") == {"free": 1, "0.001": 3, "0.01": 3, "0.1": 4}
    assert counts("latency") == {"100": 1, "500": 1, "2000": 2}
    assert counts("quality") == {"measured": 3, "80": 2, "90": 2, "95": 1}
    assert counts("context") == {"4096": 1}
    assert counts("language") == {"zh": 2, "en": 1}


@pytest.mark.usefixtures("_four")
def test_values_of_one_facet_are_added_and_facets_narrow_one_another() -> None:
    assert set(names(licence=["MIT", "BSD"])) == {"free", "cheap", "dear", "talker"}
    assert names(licence=["MIT"], price=["free"]) == ["free"]
    assert counts("licence", task=["chat"]) == {"BSD": 1}
    assert counts("licence", task=["chat"], licence=["MIT"]) == {"BSD": 1, "MIT": 0}  # as if it were not chosen itself
    assert names(licence=["none such"], language=["xx"]) == []
    assert found(task=["chat"], licence=["MIT"]).without == {"task": 2, "licence": 1}


@pytest.mark.usefixtures("_four")
@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("newest", "talker"),
        ("cheapest", "free"),
        ("used", "dear"),
        ("fastest", "dear"),
        ("quality", "cheap"),
        ("name", "cheap"),
    ],
)
def test_models_are_sorted(sort: str, first: str) -> None:
    assert names(sort=sort)[0] == first
    assert len(names(sort=sort)) == 4


def test_figures_of_different_tasks_are_compared_by_their_place_in_the_task() -> None:
    for name, bits in (("worse", 3.0), ("better", 1.0), ("middle", 2.0)):
        model(name, "text-generation", metrics={"bits_per_character": bits})  # less is better
    model("unmeasured", "text-generation")
    model("alone", "image-classification", metrics={"accuracy": 0.1})
    assert names(sort="quality") in (["alone", "better", "middle", "worse", "unmeasured"],
                                     ["better", "alone", "middle", "worse", "unmeasured"])  # fmt: skip


def test_unknown_tasks_and_orders_are_refused() -> None:
    with pytest.raises(SearchInvalid):
        found(task=["none"])
    with pytest.raises(SearchInvalid):
        found(sort="none")
    assert Client().get("/models?sort=none").status_code == 422


def test_another_workspaces_private_models_do_not_exist(workspace: Workspace, stranger: User) -> None:
    model("open", title="Open")
    model("projectx", publisher=workspace.slug, title="Projectx", visibility="workspace", licence="Secret")
    assert names("projectx") == names("projctx") == []
    assert found("projctx").matched.meant == ()
    assert "Secret" not in counts("licence")
    assert workspace.slug not in counts("publisher")
    assert names("projctx", workspace_id=workspace.pk) == ["projectx"]
    assert b"projectx" not in signed_in(stranger).get("/models?q=project").content


def test_what_became_private_a_moment_ago_is_not_shown() -> None:
    made = model("fading")
    assert names("fading") == ["fading"]
    Model.objects.filter(pk=made.pk).update(visibility="workspace")  # past the catalog
    assert names("fading") == []


def test_what_comes_or_goes_past_the_catalog_is_listed_by_the_job() -> None:
    now = timezone.now()
    Model.objects.bulk_create(
        [Model(publisher=shop(), name=f"bulk-{n}", task="tensor", title="Bulk") for n in range(3)]
    )
    assert listings.keep(now) == 3
    assert listings.keep(now) == 0
    assert len(names("bulk")) == 3
    Listing.objects.all().delete()
    assert listings.keep(now) == 3


def test_a_price_that_begins_is_noticed() -> None:
    made = model("riser")
    later = timezone.now() + timedelta(days=1)
    from billing.prices import publishing

    publishing.publish(made.pk, {"request": 10**13}, starts_at=later, confirmed=True)
    assert listings.keep(timezone.now()) == 0
    assert listings.keep(later + timedelta(minutes=1)) == 1


@pytest.mark.usefixtures("_four")
def test_use_that_ended_is_forgotten() -> None:
    assert listings.note_use({"acme/dear": Use(90, 20.0)}) == 1  # the talker's
    assert listings.note_use({"acme/dear": Use(90, 20.0)}) == 0
    assert counts("latency") == {"100": 1, "500": 1, "2000": 1}
