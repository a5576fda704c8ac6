"""A submission that passed becomes a version once, under its publisher's name, for whom they may open it, at their price."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client

from billing.prices import book
from marketplace.catalog import versions
from marketplace.errors import SubmissionInvalid
from marketplace.models import Model, Submission, Version
from marketplace.publishers.rights import NotAPublisher
from marketplace.publishing import publishing, review, submitting
from marketplace.publishing.evidence import Found
from marketplace.publishing.models import Status
from marketplace.publishing.publishing import Wish
from marketplace.tasks.task import ModelSpec, Tensor
from portal.accounts.mails import Mail
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in
from tests.fixtures.submissions import TOLD

SPEC = ModelSpec((Tensor("x", "float32", (None, 3)),), (Tensor("y", "float32", (None, 3)),))


@pytest.fixture
def passed(workspace: Workspace, settings: LazySettings, tmp_path: Path) -> Submission:
    """As its rehearsal leaves it."""
    settings.MEDIA_ROOT, settings.MODELS_DIR = tmp_path / "files", tmp_path / "models"
    submission = submitting.keep(workspace, TOLD, "a.zip", 2, [b"PK"])
    Submission.objects.update(state="rehearsing", attempts=1)
    submission.refresh_from_db()
    (settings.MODELS_DIR / ".submitted" / "one").mkdir(parents=True)
    review.record(submission, Found("schema", Status.PASSED, "first", figure="1.0.0"))
    review.end(submission, spec=SPEC.to_json(), place=".submitted/one", suggested="row=0.00002")
    submission.refresh_from_db()
    return submission


@pytest.fixture
def client(owner: User) -> Client:
    return signed_in(owner)


def test_its_page_offers_what_was_asked_and_publishes_once(client: Client, passed: Submission) -> None:
    where = f"/publisher/submissions/{passed.pk}"
    page = client.get(where).text
    assert "Suggested by what it computes: <code>row=0.00002</code>" in page
    assert "row=0.0001" in page
    assert 'value="public"' not in page, "who is no publisher yet is not offered it"
    form = {"visibility": "workspace", "price": "row=0.0003"}
    answer = client.post(f"{where}/publish", form, follow=True)
    assert "olga/doubler 1.0.0 is live." in answer.text
    assert client.post(f"{where}/publish", form).status_code == 302
    version = Version.objects.get()
    assert (version.engine, version.source, version.metrics) == ("runner", ".submitted/one", {})
    assert (version.model.visibility, version.model.card, version.model.licence) == (
        "workspace",
        TOLD["card"],
        "Apache-2.0",
    )
    price = book.current(version.model_id)
    assert price is not None
    assert book.label(price.scheme) == "$0.0003 / row"
    assert not submitting.path_of(passed).exists(), "its file is not needed any more"
    assert "olga/doubler" in client.get(where).text
    following = client.get("/publisher/submit?model=doubler").text
    assert "Numbers beyond what float32 holds" in following, "its next version begins with what is known"
    client.post(f"{where}/withdraw")
    assert Submission.objects.get().state == "published"


def test_others_see_it_only_where_its_publisher_may_sell(client: Client, passed: Submission) -> None:
    with pytest.raises(NotAPublisher):
        publishing.publish(passed, Wish("public", None))
    answer = client.post(f"/publisher/submissions/{passed.pk}/publish", {"visibility": "public", "price": ""})
    assert answer.status_code == 422
    assert not Model.objects.exists()


def test_an_unusual_price_is_asked_about(client: Client, passed: Submission) -> None:
    where = f"/publisher/submissions/{passed.pk}/publish"
    first = publishing.publish(passed, Wish("workspace", None))
    Submission.objects.update(state="passed", version=None, place=".submitted/one")
    passed.evidence.filter(check_name="schema").update(figure="1.0.1")
    publishing.set_price(first.model, {"row": 10**8}, confirmed=True)
    form = {"visibility": "workspace", "price": "row=900"}
    answer = client.post(where, form)
    assert answer.status_code == 422
    assert "The unusual price is meant" in answer.text
    assert client.post(where, {**form, "confirmed": "on", "percent": "20"}).status_code == 302
    assert sorted(split.weight for split in first.model.splits.all()) == [20, 80]


def test_one_whose_model_has_another_version_by_now_is_rehearsed_once_more(client: Client, passed: Submission) -> None:
    model = Model.objects.create(
        publisher=passed.workspace, name="doubler", task="tensor", title="Doubler", visibility="workspace"
    )
    versions.publish(model, engine="runner", source="x", spec=SPEC)
    answer = client.post(
        f"/publisher/submissions/{passed.pk}/publish", {"visibility": "workspace", "price": ""}, follow=True
    )
    assert "rehearsed once more" in answer.text
    passed.refresh_from_db()
    assert (passed.state, passed.place, passed.attempts) == ("queued", "", 0)
    assert submitting.path_of(passed).exists()
    assert Version.objects.count() == 1


def test_what_did_not_pass_is_not_published_and_its_publisher_gets_mail(passed: Submission) -> None:
    assert "olga/doubler passed and can be published" in Mail.objects.get().subject
    Submission.objects.update(state="rehearsing", attempts=2)
    passed.refresh_from_db()
    review.record(passed, Found("loads", Status.FAILED, "refused", {"message": "It is\0broken."}))
    review.end(passed)
    mail = Mail.objects.latest("pk")
    assert "did not pass" in mail.subject
    assert "Loads: It is�broken." in mail.body
    with pytest.raises(SubmissionInvalid):
        publishing.publish(passed, Wish("workspace", None))
