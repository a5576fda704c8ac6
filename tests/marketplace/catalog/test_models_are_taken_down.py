"""An operator takes a model or a version down: calls get 451 and the reason, the catalog forgets it, pages say why, people are told."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from billing.metering.models import UsageEvent
from billing.metering.rollups import roll_up
from marketplace.catalog import shelf, takedowns
from marketplace.catalog.models import Model, TakeDown
from marketplace.catalog.resolve import choose, forget, resolve
from marketplace.catalog.takedowns import TakeDownInvalid
from marketplace.catalog.versions import publish, split
from marketplace.catalog.visibility import ANYBODY, Reader, listed
from marketplace.errors import ModelTakenDown
from marketplace.tasks.task import ModelSpec
from portal.accounts.keys.issuing import issue
from portal.accounts.models import Mail, User, Workspace
from portal.kit import ids
from tests.fixtures.people import signed_in
from tests.marketplace.catalog.listed import model, names
from tests.marketplace.publishers.people import console, operator

WHY = "It copies <b>songs</b> of others."


def down(one: Model, number: int | None = None) -> TakeDown:
    version = one.versions.get(number=number) if number else None
    made = takedowns.take_down(one, version, "rights", WHY, operator(), timezone.now(), "see the letter")
    forget()
    return made


def put_back(taken: TakeDown) -> None:
    takedowns.lift(taken, operator(), "The letter was wrong.", timezone.now())
    forget()


@pytest.fixture
def singer(workspace: Workspace) -> Model:
    forget()
    return model("singer", "chat", publisher=workspace.slug)


@pytest.fixture
def secret(stranger: User) -> str:
    return issue(stranger.personal_workspace, "a key")[1]


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/v1/chat/completions", {"model": "olga/singer", "messages": [{"role": "user", "content": "la"}]}, "error"),
        ("/v1/messages", {"model": "olga/singer", "messages": [{"role": "user", "content": "la"}], "max_tokens": 3}, "error"),
        ("/v1/responses", {"model": "olga/singer", "input": "la"}, "error"),
        ("/v1/models/olga/singer/predictions", {"input": {"messages": [{"role": "user", "content": "la"}]}}, "error"),
        ("/v2/models/olga/singer/infer", {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}, ""),
        ("/v1/models/olga/singer:predict", {"instances": [[1]]}, ""),
    ],
)  # fmt: skip
def test_every_protocol_refuses_with_the_reason(
    singer: Model, secret: str, path: str, body: dict[str, Any], where: str
) -> None:
    down(singer)
    answer = Client().post(path, body, "application/json", headers={"Authorization": f"Bearer {secret}"})
    said = json.loads(answer.content)
    said = said[where] if where else said
    assert answer.status_code == 451, said
    assert (said["code"], said["category"], said["reason"]) == ("model_taken_down", "rights", WHY)
    assert WHY in (said["message"] if where else said["error"])


def test_the_catalog_forgets_it_and_its_page_says_why(
    singer: Model, workspace: Workspace, owner: User, secret: str
) -> None:
    taken = down(singer)
    for reader in (ANYBODY, Reader(workspace.pk)):
        assert not listed(reader).exists()
    assert names("singer") == names("singer", workspace_id=workspace.pk) == []
    assert "singer" not in Client().get("/models/feed.xml").content.decode()
    assert "Singer" not in Client().get("/models/compare?m=olga/singer").content.decode()
    assert signed_in(owner).get("/billing/compare?model=olga/singer").status_code == 404
    page = Client().get("/models/olga/singer").content.decode()
    assert "It copies &lt;b&gt;songs&lt;/b&gt; of others." in page
    assert "others&#x27; rights" in page
    assert "Call it" not in page
    assert "see the letter" not in page, "notes are the operators'"
    assert "taken down" in Client().get("/models/olga/singer/versions").content.decode()
    assert "taken down" in signed_in(owner).get("/publisher/models").content.decode()
    headers = {"Authorization": f"Bearer {secret}"}
    assert json.loads(Client().get("/v1/models", headers=headers).content)["data"] == []
    one = json.loads(Client().get("/v1/models/olga/singer", headers=headers).content)
    assert one["taken_down"] == {"category": "rights", "reason": WHY}

    put_back(taken)
    shelf.forget()
    assert names("singer") == ["singer"]
    assert "Call it" in Client().get("/models/olga/singer").content.decode()
    resolve("olga/singer", workspace.pk)
    taken.refresh_from_db()
    assert (taken.lifted_why, taken.lifted_by) == ("The letter was wrong.", operator()), "the record stays"


def test_a_version_goes_alone(singer: Model, workspace: Workspace) -> None:
    publish(singer, engine="oip", source="http://127.0.0.1:9", spec=ModelSpec())
    down(singer, 1)
    with pytest.raises(ModelTakenDown, match="olga/singer@1 was taken down"):
        resolve("olga/singer@1", workspace.pk)
    assert resolve("olga/singer", workspace.pk).number == 2
    assert names("singer") == ["singer"]
    page = Client().get("/models/olga/singer").content.decode()
    assert "Version 1 was taken down" in page
    assert "Call it" in page


def test_of_versions_that_share_the_calls_the_others_answer(singer: Model, workspace: Workspace) -> None:
    publish(singer, engine="oip", source="http://127.0.0.1:9", spec=ModelSpec())
    split(singer, {1: 1, 2: 99})
    down(singer, 2)
    assert {choose(resolve("olga/singer", workspace.pk)).number for _ in range(20)} == {1}
    down(singer, 1)
    with pytest.raises(ModelTakenDown):
        resolve("olga/singer", workspace.pk)


def test_its_publisher_and_its_users_are_told_once_and_of_the_lifting_too(
    singer: Model, owner: User, stranger: User
) -> None:
    UsageEvent.objects.create(
        id=ids.make("use"), request_id="r", workspace_id=stranger.personal_workspace.pk, model="olga/singer",
        version_id="v", protocol="openai", units={"request": 1}, price_id="", cost_nanos=0, latency_ms=1,
        recorded_at=timezone.now(), seller_id=singer.publisher_id,
    )  # fmt: skip
    roll_up(timezone.now())
    taken = down(singer)
    assert Mail.objects.get(to=owner.email).subject == "olga/singer was taken down"
    assert takedowns.tell(timezone.now()) == 1
    assert takedowns.tell(timezone.now()) == 0
    told = Mail.objects.get(to=stranger.email)
    assert WHY in told.body
    assert Mail.objects.filter(to=owner.email).count() == 1
    Mail.objects.update(attempts=1)  # they are on their way
    put_back(taken)
    put_back(taken)
    for to in (owner.email, stranger.email):
        assert list(Mail.objects.filter(to=to).order_by("pk").values_list("subject", flat=True)) == [
            "olga/singer was taken down",
            "olga/singer answers again",
        ]


def test_what_was_lifted_before_its_users_were_told_is_not_told(singer: Model, stranger: User) -> None:
    put_back(down(singer))
    assert takedowns.tell(timezone.now()) == 0
    assert not Mail.objects.filter(to=stranger.email).exists()


def test_two_operators_at_once_take_it_down_once(singer: Model) -> None:
    by, said = operator(), []

    def take() -> None:
        try:
            takedowns.take_down(singer, None, "harm", "Danger.", by, timezone.now())
            said.append("taken")
        except TakeDownInvalid:
            said.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(said) == ["refused", "refused", "refused", "taken"]


def test_the_console_takes_down_and_lifts_and_keeps_the_record(singer: Model, workspace: Workspace) -> None:
    operators, other = console(), model("other")
    here = "/admin/marketplace/takedown/"
    given = {"model": singer.pk, "version": "", "category": "rights", "reason": WHY, "note": "n"}
    for wrong, said in (
        ({"reason": " "}, "This field is required"),
        ({"version": other.live_version_id}, "another model"),
        ({"category": "mood"}, "valid choice"),
    ):
        assert said in operators.post(f"{here}add/", {**given, **wrong}).content.decode()
    assert operators.post(f"{here}add/", given).status_code == 302
    assert "It is down already." in operators.post(f"{here}add/", given).content.decode()
    taken = TakeDown.objects.get()
    assert taken.taken_by == operator()
    change = f"{here}{taken.pk}/change/"
    assert "Lift it, because" in operators.get(change).content.decode()
    assert operators.post(change, {"why": ""}).status_code == 200
    assert operators.post(change, {"why": "A mistake.", "reason": "changed"}).status_code == 302
    taken.refresh_from_db()
    assert (taken.lifted_why, taken.reason) == ("A mistake.", WHY)
    assert operators.get(change).status_code == 200
    assert operators.post(change, {"why": "again"}).status_code == 403
    assert operators.post(f"{here}{taken.pk}/delete/", {"post": "yes"}).status_code == 403
    assert signed_in(workspace.personal_of).get(here).status_code == 302
