"""What the same workspaces use is alike: beside a model, and for a workspace by what it uses. Nobody's usage can be read off."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from billing.metering.models import Status, UsageEvent
from billing.metering.rollups import roll_up
from marketplace.catalog import listings, retiring
from marketplace.catalog.listings import Use
from marketplace.catalog.models import Model
from marketplace.catalog.visibility import Reader
from marketplace.models import Neighbour
from marketplace.recommending import neighbours
from marketplace.recommending.suggesting import Suggestion, suggestions, used_with
from portal.accounts.keys.issuing import issue
from portal.accounts.models import User, Workspace
from portal.kit import ids
from tests.fixtures.people import signed_in
from tests.marketplace.catalog.listed import model, shop


def uses(
    workspace: Workspace | str, *slugs: str, times: int = 1, status: str = Status.SUCCEEDED, seller: str = ""
) -> None:
    """The workspace calls each of the models so many times."""
    who = shop(workspace) if isinstance(workspace, str) else workspace
    UsageEvent.objects.bulk_create(
        UsageEvent(
            id=ids.make("use"), request_id="req_x", workspace_id=who.pk, model=slug, version_id="v", protocol="openai",
            units={"request": 1}, price_id="", cost_nanos=0, latency_ms=1, recorded_at=timezone.now(), status=status,
            seller_id=seller,
        ) for slug in slugs for _ in range(times)
    )  # fmt: skip


def compute() -> int:
    now = timezone.now()
    roll_up(now)
    return neighbours.keep(now)


def beside(one: Model, workspace_id: str | None = None) -> list[str]:
    return [other.name for other in used_with(one, Reader(workspace_id or ""))]


def picked(workspace: Workspace) -> list[Suggestion]:
    return suggestions(Reader(workspace.pk), timezone.now())


@pytest.fixture
def reader(workspace: Workspace) -> Model:
    """With it, four shops use the writer and three of them the painter too; everybody uses the translator."""
    made = model("reader", "embeddings")
    for name, task in (("writer", "chat"), ("painter", "image-generation"), ("translator", "translation")):
        model(name, task)
    for at in range(4):
        uses(f"shop-{at}", "acme/reader", "acme/writer", "acme/translator", *(["acme/painter"] if at else []))
    for at in range(20):
        uses(f"other-{at}", "acme/translator")
    return made


def test_beside_a_model_stands_what_its_users_use_the_most_alike_first(reader: Model) -> None:
    assert compute() > 0
    assert beside(reader) == ["writer", "painter", "translator"], "everybody uses the translator, so it says little"
    assert "Used with" in Client().get("/models/acme/reader/used-with").text
    assert Client().get("/models/acme/translator/used-with").text.count("<li>") == 3


def test_what_fewer_than_three_workspaces_do_is_nobodys_business(workspace: Workspace) -> None:
    first, _second = model("first"), model("second")
    for who in ("one", "two"):
        uses(who, "acme/first", "acme/second", times=50)
    uses("three", "acme/first")
    assert compute() == 0
    assert beside(first) == []
    assert Client().get("/models/acme/first/used-with").text.strip() == ""
    uses("three", "acme/second")
    compute()
    assert beside(first) == ["second"]


def test_failures_and_what_a_publisher_uses_of_its_own_do_not_count(workspace: Workspace) -> None:
    first, _second = model("first"), model("second")
    for who in ("one", "two"):
        uses(who, "acme/first", "acme/second")
    uses("three", "acme/first", "acme/second", status=Status.FAILED)
    uses("acme", "acme/first", "acme/second", seller=shop("acme").pk)
    compute()
    assert beside(first) == []


def test_computed_twice_it_is_the_same_and_what_is_over_goes(reader: Model) -> None:
    assert compute() == compute() == Neighbour.objects.count()
    UsageEvent.objects.all().delete()
    later = timezone.now() + neighbours.LOOKS_BACK + timedelta(days=2)
    assert neighbours.keep(later) == 0
    assert not Neighbour.objects.exists()


def test_private_models_and_those_that_go_stand_beside_nothing(reader: Model) -> None:
    compute()
    Model.objects.filter(name="writer").update(visibility="workspace")
    now = timezone.now()
    retiring.announce(Model.objects.get(name="painter"), None, now + timedelta(days=30), now)
    assert beside(reader) == ["translator"]
    assert beside(reader, shop("acme").pk) == ["writer", "translator"], "its own workspace sees it"
    listings.note_use({"acme/translator": Use(9, None)})
    assert beside(reader) == [], "it was asked and did not answer"


def test_a_workspace_is_shown_what_goes_with_what_it_uses_and_why(
    reader: Model, workspace: Workspace, owner: User
) -> None:
    uses(workspace, "acme/reader", times=9)
    uses(workspace, "acme/translator")
    compute()
    found = picked(workspace)
    assert [one.model.name for one in found] == ["writer", "painter"], "never what it uses already"
    assert {one.because.name for one in found if one.because} == {"reader"}
    page = signed_in(owner).get("/models/suggested").text
    assert "because you use Reader" in page
    assert "because you use Reader" in signed_in(owner).get("/").text


def test_without_neighbours_what_is_popular_for_the_same_tasks_is_shown(workspace: Workspace) -> None:
    for name in ("mine", "liked", "unknown"):
        model(name, "chat")
    model("elsewhere", "embeddings")
    listings.note_use({"acme/liked": Use(50, 10.0), "acme/elsewhere": Use(500, 10.0)})
    uses(workspace, "acme/mine")
    compute()
    assert [(one.model.name, one.because) for one in picked(workspace)] == [("liked", None), ("unknown", None)]


def test_who_used_nothing_and_visitors_are_shown_nothing(reader: Model, owner: User, workspace: Workspace) -> None:
    compute()
    assert picked(workspace) == []
    for client in (Client(), signed_in(owner)):
        assert client.get("/models/suggested").text.strip() == ""
        assert client.get("/").status_code == 200


def test_the_interface_tells_what_is_used_with_a_model_and_what_will_go(reader: Model, workspace: Workspace) -> None:
    compute()
    now = timezone.now()
    ends = now + timedelta(days=30)
    retiring.announce(reader, None, ends, now, reason="Too old.", successor=Model.objects.get(name="writer"))
    headers = {"authorization": f"Bearer {issue(workspace, 'a key')[1]}"}
    one = Client().get("/v1/models/acme/reader", headers=headers).json()
    assert one["used_with"] == ["acme/writer", "acme/painter", "acme/translator"]
    told = {
        "deprecated_at": now.isoformat(timespec="seconds"), "sunset_at": ends.isoformat(timespec="seconds"),
        "reason": "Too old.", "successor": "acme/writer",
    }  # fmt: skip
    assert one["deprecation"] == told
    listed = {row["id"]: row["deprecation"] for row in Client().get("/v1/models", headers=headers).json()["data"]}
    assert listed == {"acme/reader": told, "acme/writer": None, "acme/painter": None, "acme/translator": None}


def test_what_is_gone_is_neither_listed_nor_found(reader: Model, workspace: Workspace) -> None:
    now = timezone.now()
    retiring.announce(reader, None, now + timedelta(days=1), now)
    reader.retirements.update(ends_at=now)
    headers = {"authorization": f"Bearer {issue(workspace, 'a key')[1]}"}
    for address in ("/v1/models", "/v1/models?q=reader", "/v1/models?sort=newest"):
        assert "acme/reader" not in Client().get(address, headers=headers).text
    assert "acme/reader" not in Client().get("/models?q=reader").text
    page = Client().get("/models/acme/reader").text
    assert "This model is gone since" in page
    assert "Call it" not in page
