"""What a run is published as: price, who may use it, what its page says, a share of the calls at first."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from marketplace.catalog import resolve
from marketplace.catalog.models import Model, Split, Visibility
from marketplace.publishers.models import Application
from marketplace.training import releasing, runs, trainer
from marketplace.training.models import Dataset, Run
from marketplace.training.releasing import Release
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in
from tests.marketplace.training.test_runs_of_workspaces import asked_for, claimed, outcome, table

__all__ = ["table"]
SPEC: dict[str, Any] = {
    "inputs": [{"name": "words", "dtype": "str", "shape": [None, 1]}],
    "outputs": [{"name": "probabilities", "dtype": "float32", "shape": [None, 2]}],
    "labels": ["no", "yes"],
    "features": [{"name": "city", "low": 0, "high": 0, "typical": "Rome", "choices": ["Rome"], "optional": True}],
}
FORM = {"name": "leaves", "title": "Who leaves", "price": "0.0003", "visibility": "workspace", "percent": "100"}


def succeeded(table: Dataset, **spec: Any) -> Run:
    asked_for(table)
    run = claimed()
    assert runs.finish(run, timezone.now(), outcome(run) | {"spec": SPEC | spec}, 1_000)
    run.refresh_from_db()
    return run


def published(table: Dataset, **wanted: Any) -> Run:
    run = succeeded(table)
    releasing.release(run, Release("leaves", **wanted))
    run.refresh_from_db()
    return run


def test_the_form_says_what_the_run_says_already(table: Dataset, owner: User) -> None:
    run, client = succeeded(table), signed_in(owner)
    page = client.get(f"/training/runs/{run.pk}").text
    assert "Predicts leaves from 1 columns of churn.csv." in page
    assert "Trained here by the recipe `dense`" in page
    assert 'value="public"' not in page  # that is for publishers
    given = {
        **FORM,
        "notes": "first",
        "summary": "Tells who goes.",
        "licence": "MIT",
        "card": "# Leaves",
        "visibility": "private",
    }
    assert client.post(f"/training/runs/{run.pk}/publish", {**given, "visibility": "public"}).status_code == 422
    client.post(f"/training/runs/{run.pk}/publish", given)
    model = Model.objects.get()
    assert (model.title, model.summary, model.licence, model.card, model.visibility) == (
        "Who leaves", "Tells who goes.", "MIT", "# Leaves", Visibility.PRIVATE,
    )  # fmt: skip
    assert releasing.price_of(model) == 300_000
    assert model.live_version is not None
    assert (model.live_version.notes, model.live_version.semver) == ("first", "1.0.0")


def test_the_next_version_is_numbered_by_what_it_changes(table: Dataset, owner: User) -> None:
    published(table, row_nanos=500_000, licence="MIT", visibility=Visibility.PRIVATE)
    run = succeeded(table, labels=["maybe", "no", "yes"])
    page = signed_in(owner).get(f"/training/runs/{run.pk}").text
    assert "As the next version of olga/leaves after 1.0.0 it is 2.0.0." in page
    assert "It breaks callers:" in page
    for said in ('value="leaves"', 'value="0.0005"', 'value="MIT"', '<option value="private" selected>'):
        assert said in page
    assert releasing.release(run, Release("leaves", row_nanos=500_000)).semver == "2.0.0"


def test_a_canary_answers_some_calls_until_somebody_decides(table: Dataset, owner: User, workspace: Workspace) -> None:
    client = signed_in(owner)
    first, second = published(table), succeeded(table)
    new = {**FORM, "name": "other", "percent": "10"}
    assert "no version before that could answer" in client.post(f"/training/runs/{second.pk}/publish", new).text
    client.post(f"/training/runs/{second.pk}/publish", {**FORM, "percent": "10"})
    second.refresh_from_db()
    assert second.version is not None
    model = Model.objects.get()
    assert model.live_version == first.version
    assert dict(Split.objects.values_list("version__number", "weight")) == {1: 90, 2: 10}
    found = resolve.resolve("olga/leaves", workspace.pk)
    assert {resolve.choose(found).number for _ in range(200)} == {1, 2}
    assert "It answers 10 % of the calls" in client.get(f"/training/runs/{second.pk}").text
    for _ in range(2):
        client.post(f"/training/runs/{second.pk}/canary")
    assert (Model.objects.get().live_version, Split.objects.count()) == (first.version, 0)
    assert "Another version answers the calls now" in client.get(f"/training/runs/{second.pk}").text
    third = published(table, percent=50)
    for _ in range(2):
        client.post(f"/training/runs/{third.pk}/canary", {"live": ""})
    assert (Model.objects.get().live_version, Split.objects.count()) == (third.version, 0)
    assert signed_in(owner).get("/models/olga/leaves/versions").status_code == 200


def test_only_publishers_publish_for_all(table: Dataset, workspace: Workspace, owner: User) -> None:
    run = succeeded(table)
    with pytest.raises(Exception, match="approved publishers"):
        releasing.release(run, Release("leaves", visibility=Visibility.PUBLIC))
    assert not Model.objects.exists()
    assert not Application.objects.exists()


@pytest.mark.slow
def test_the_version_before_is_asked_the_same_rows(table: Dataset, owner: User) -> None:
    first = asked_for(table)  # four epochs of all columns but the fee
    trainer.train(claimed())
    first.refresh_from_db()
    assert first.outcome is not None
    releasing.release(first, Release("leaves"))
    again = asked_for(table, leave_out=["age", "fee"])
    told = releasing.before(again)
    again.params["seed"] = 5
    other = releasing.before(again)
    assert told is not None
    assert other is not None
    assert (told["apart"], other["apart"]) == (True, False)  # another seed splits in another way
    trainer.train(claimed())
    again.refresh_from_db()
    assert again.outcome is not None, again.error
    found = again.outcome["evaluation"]["before"]
    assert (found["rows"], found["apart"]) == (24, True)
    assert found["metrics"]["now"]["accuracy"] == again.outcome["metrics"]["accuracy"]
    # On the same test rows it says what it said when it was trained, and each row that changed is counted.
    assert found["metrics"]["before"]["accuracy"] == first.outcome["metrics"]["accuracy"]
    assert found["metrics"]["before"]["log_loss"] == pytest.approx(first.outcome["metrics"]["log_loss"], abs=1e-4)
    accuracy = {name: round(24 * one["accuracy"]) for name, one in found["metrics"].items()}
    assert found["better"] - found["worse"] == accuracy["now"] - accuracy["before"]
    assert all(one["now"] == one["truth"] != one["before"] for one in found["better_rows"])
    page = signed_in(owner).get(f"/training/runs/{again.pk}").text
    assert "olga/leaves 1.0.0 was asked the same 24 rows of the test. It learnt none of them either." in page
    releasing.release(again, Release("leaves", percent=20))
    assert "Against the version before" in signed_in(owner).get(f"/training/runs/{again.pk}").text
