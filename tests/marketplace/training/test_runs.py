"""Runs: taken once, taken over when their trainer dies, ended once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.plans.seeds import seed_plans
from billing.prices import book
from marketplace.catalog.models import Model
from marketplace.catalog.resolve import forget, resolve
from marketplace.errors import ModelNotFound, ModelNotReady
from marketplace.tasks.task import ModelSpec
from marketplace.training import runs
from marketplace.training.models import Run, RunState
from marketplace.training.seeds import seed_starters, train_starter
from marketplace.training.starters.registry import STARTERS
from portal.accounts.models import Workspace

OUTCOME = {"spec": ModelSpec().to_json(), "metrics": {"accuracy": 0.9}, "baseline": {}, "facts": {}}


@pytest.fixture
def starters(workspace: Workspace) -> list[Model]:
    seed_plans()
    return seed_starters(workspace)


def test_seeding_twice_makes_one_run_of_each_that_is_there_at_first(
    starters: list[Model], workspace: Workspace
) -> None:
    seed_starters(workspace)
    first = {starter.name for starter in STARTERS if starter.at_first}
    assert {run.model.name for run in Run.objects.all()} == first < {model.name for model in starters}
    assert Run.objects.count() == len(first)
    assert all(book.current(model.pk) for model in starters)


def test_a_starter_is_trained_when_asked_for_and_asking_twice_queues_one_run(starters: list[Model]) -> None:
    late = next(model for model in starters if model.name == "progression")
    run = train_starter(late)
    assert (run.state, train_starter(late).pk) == (RunState.QUEUED, run.pk)
    runs.fail(run, timezone.now(), "no", again=False)
    Run.objects.filter(pk=run.pk).update(state=RunState.FAILED)
    assert train_starter(late).pk != run.pk
    with pytest.raises(KeyError, match="use one of digits"):
        train_starter(Model(publisher=late.publisher, name="other"))


def test_one_run_is_trained_at_a_time_the_oldest_first(starters: list[Model]) -> None:
    now, queued = timezone.now(), [model for model in starters if model.runs.exists()]
    first = runs.claim(now)
    assert first is not None
    assert first.model == queued[0]
    assert runs.claim(now) is None
    assert runs.succeed(first, now, "somewhere", OUTCOME, "# card") is not None
    second = runs.claim(now)
    assert second is not None
    assert second.model == queued[1]


def test_a_run_whose_trainer_fell_silent_is_taken_over_and_the_old_trainer_stops(starters: list[Model]) -> None:
    now = timezone.now()
    lost = runs.claim(now)
    assert lost is not None
    later = now + timedelta(minutes=2)
    taken = runs.claim(later)
    assert taken is not None
    assert taken.pk == lost.pk
    assert not runs.heartbeat(lost, later)
    assert runs.succeed(lost, later, "somewhere", OUTCOME, "") is None
    assert runs.heartbeat(
        taken, later, {"phase": "training", "epoch": 1, "loss": 0.5, "metric": 0.7, "epoch_ended": True}
    )
    taken.refresh_from_db()
    assert taken.curve == [{"epoch": 1, "loss": 0.5, "metric": 0.7}]


def test_a_run_fails_for_good_after_three_attempts(starters: list[Model]) -> None:
    now = timezone.now()
    for _ in range(3):
        run = runs.claim(now)
        assert run is not None
        runs.fail(run, now, "out of memory", again=True)
    run.refresh_from_db()
    assert (run.state, run.error) == (RunState.FAILED, "out of memory")


def test_a_model_answers_when_its_run_has_succeeded_and_not_before(starters: list[Model], workspace: Workspace) -> None:
    slug = starters[0].slug
    with pytest.raises(ModelNotReady):
        resolve(slug, workspace.pk)
    run = runs.claim(timezone.now())
    assert run is not None
    runs.succeed(run, timezone.now(), "somewhere", OUTCOME, "# It works")
    forget()
    resolved = resolve(slug, workspace.pk)
    assert (resolved.number, resolved.source) == (1, "somewhere")
    assert resolve(f"{slug}@1", workspace.pk).version_id == resolved.version_id
    Model.objects.filter(pk=resolved.model_id).update(visibility="workspace")
    forget()
    with pytest.raises(ModelNotFound):
        resolve(slug, "ws_stranger")
