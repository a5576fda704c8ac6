"""Reviews are by people who used the model; everybody reads them, operators hide what breaks the rules."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from billing.metering.models import UsageEvent
from marketplace.catalog.models import Listing, Model
from marketplace.catalog.search import Query, search
from marketplace.catalog.visibility import ANYBODY
from marketplace.models import Review
from marketplace.reviews import reviewing
from portal.accounts.models import Membership, Role, User, Workspace
from portal.kit import ids
from tests.fixtures.people import person, signed_in

PAGE = "/models/sam/writer/reviews"


@pytest.fixture
def model(stranger: User) -> Model:
    return Model.objects.create(publisher=stranger.personal_workspace, name="writer", task="chat", title="Writer")


def used(workspace: Workspace, slug: str = "sam/writer") -> None:
    UsageEvent.objects.create(
        id=ids.make("use"), request_id="req_x", workspace_id=workspace.pk, model=slug, version_id="v", protocol="openai",
        units={"request": 1}, price_id="", cost_nanos=0, latency_ms=1, recorded_at=timezone.now(),
    )  # fmt: skip


def test_who_used_it_says_so_and_may_change_or_take_it_back(model: Model, owner: User, workspace: Workspace) -> None:
    used(workspace)
    olga = signed_in(owner)
    assert "What should others know?" in olga.get(PAGE).text
    for stars, text in (("5", "It writes."), ("2", "It <b>stutters</b> now.")):
        assert olga.post(PAGE, {"stars": stars, "text": text}).status_code == 302
    review = Review.objects.get()
    assert (review.stars, review.text) == (2, "It <b>stutters</b> now.")
    everybody = signed_in(person("eva@example.com")).get(PAGE).text
    assert "It &lt;b&gt;stutters&lt;/b&gt; now." in everybody
    assert "olga@example.com" not in everybody, "an address is nobody's business"
    olga.post(f"{PAGE}/remove")
    assert not Review.objects.exists()


def test_who_never_used_it_and_its_publisher_may_not(model: Model, owner: User, stranger: User) -> None:
    used(stranger.personal_workspace)
    for user in (owner, stranger):
        client = signed_in(user)
        assert "What should others know?" not in client.get(PAGE).text
        assert client.post(PAGE, {"stars": "5"}).status_code == 403
    assert not Review.objects.exists()


def test_stars_are_one_to_five_and_words_have_an_end(model: Model, owner: User, workspace: Workspace) -> None:
    used(workspace)
    for given in ({"stars": "6"}, {"stars": "0"}, {}, {"stars": "5", "text": "x" * 2_001}):
        assert signed_in(owner).post(PAGE, given).status_code == 422
    assert not Review.objects.exists()


def test_the_mean_counts_what_is_not_hidden_and_its_author_still_sees_it(
    model: Model, owner: User, workspace: Workspace
) -> None:
    ada = person("ada@example.com")
    for user, stars in ((owner, 1), (ada, 4)):
        used(user.personal_workspace)
        signed_in(user).post(PAGE, {"stars": str(stars), "text": f"{stars} from {user.pk}"})
    fragment = signed_in(ada).get(PAGE, headers={"HX-Request": "true"}).text
    assert "<strong>2.5</strong>" in fragment
    assert "<html" not in fragment
    root = signed_in(User.objects.create_superuser("root@example.com", "a-long-Passw0rd"))
    rude = Review.objects.get(stars=1)
    root.post("/admin/marketplace/review/", {"action": "hide", "_selected_action": [rude.pk]})
    assert "<strong>4.0</strong>" in signed_in(ada).get(PAGE).text
    assert rude.text not in signed_in(ada).get(PAGE).text
    assert "hidden by an operator" in signed_in(owner).get(PAGE).text


def test_a_private_models_reviews_are_its_workspaces(workspace: Workspace, owner: User, stranger: User) -> None:
    Model.objects.create(publisher=workspace, name="secret", task="chat", title="S", visibility="workspace")
    used(stranger.personal_workspace, "olga/secret")
    assert signed_in(stranger).get("/models/olga/secret/reviews").status_code == 404
    assert signed_in(owner).get("/models/olga/secret/reviews").status_code == 200


def test_a_member_whose_workspace_used_it_may_review(model: Model, workspace: Workspace) -> None:
    used(workspace)
    mia = person("mia@example.com")
    Membership.objects.create(workspace=workspace, user=mia, role=Role.MEMBER)
    client = signed_in(mia)
    assert client.post(PAGE, {"stars": "3"}).status_code == 403, "her own workspace never used it"
    client.post("/settings/workspace", {"workspace": workspace.pk})
    assert client.post(PAGE, {"stars": "3"}).status_code == 302


def test_the_catalog_shows_the_mean_and_sorts_by_it_and_few_reviews_weigh_less(model: Model, stranger: User) -> None:
    for name in ("praised", "liked", "unknown"):
        Model.objects.create(publisher=stranger.personal_workspace, name=name, task="chat", title=name.title())
    for at in range(4):
        user = person(f"reader{at}@example.com")
        for name, stars in (("writer", 2), ("liked", 4), ("praised", 5)):
            if name != "praised" or at == 0:
                used(user.personal_workspace, f"sam/{name}")
                reviewing.write(Model.objects.get(name=name), user.personal_workspace, user, stars, "")
    found = search(Query(sort="rated"), ANYBODY).models
    assert [one.name for one in found] == ["liked", "praised", "writer", "unknown"]
    page = Client().get("/models?sort=rated").text
    assert '★ 4.0 <span class="muted">(4)</span>' in page
    reviewing.hide(Review.objects.filter(model__name="liked"), True)
    assert "★ 4.0" not in Client().get("/models").text
    reviewing.hide(Review.objects.filter(model__name="liked"), False)
    reviewing.remove(Model.objects.get(name="praised"), User.objects.get(email="reader0@example.com"))
    assert "★ 5.0" not in Client().get("/models").text


def test_what_the_catalog_missed_of_reviews_is_counted_later(model: Model, workspace: Workspace, owner: User) -> None:
    used(workspace)
    reviewing.write(model, workspace, owner, 3, "")
    Review.objects.all().delete()
    assert (reviewing.count_all(), reviewing.count_all()) == (1, 0)
    assert not Listing.objects.exclude(reviews=0).exists()
