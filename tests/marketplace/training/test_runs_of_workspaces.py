"""A workspace's run: asked for, trained, billed once, published; goes on after a crash; costs nothing when it fails."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from billing.gate import holds, purses
from billing.gate.tending import close_leases
from billing.ledger.audit import differences
from billing.metering.models import UsageEvent
from billing.plans.seeds import seed_plans
from billing.plans.terms import forget
from marketplace.catalog.models import Visibility
from marketplace.training import charges, datasets, releasing, runs, trainer
from marketplace.training.models import Dataset, Run, RunState
from marketplace.training.releasing import Release
from marketplace.training.seeds import seed_price
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in

SECOND = 200_000  # nano-dollars


def churn(rows: int = 120) -> bytes:
    """Who is older than 45, or in Lima, leaves; some cells are missing."""
    dice = random.Random(1)
    lines = ["id,age,city,fee,leaves"]
    for at in range(rows):
        age, city = dice.randint(20, 70), dice.choice(["Rome", "Oslo", "Lima"])
        leaves = "yes" if age > 45 or city == "Lima" else "no"
        shown = "" if dice.random() < 0.1 else age
        lines.append(f"{at},{shown},{city if dice.random() > 0.05 else ''},{dice.random() * 9:.2f},{leaves}")
    return "\n".join(lines).encode()


@pytest.fixture
def table(workspace: Workspace, settings: LazySettings, tmp_path: Path) -> Dataset:
    settings.MEDIA_ROOT, settings.MODELS_DIR = tmp_path / "files", tmp_path / "models"
    seed_plans()
    seed_price()
    forget()
    data = churn()
    made = datasets.keep(workspace, "churn.csv", len(data), [data])
    datasets.examine_waiting()
    made.refresh_from_db()
    return made


ASKED = {"target": "leaves", "task": "tabular-classification", "leave_out": ["fee"], "folds": 0}


def asked_for(table: Dataset, budget_s: int = 60, **asked: Any) -> Run:
    agreed = charges.terms(table.workspace_id)
    return runs.queue_table(table, "dense", {"epochs": 4}, {**ASKED, **asked}, budget_s, agreed)


def claimed() -> Run:
    run = runs.claim(timezone.now())
    assert run is not None
    return run


def said(run: Run, **progress: Any) -> None:
    whole = {"phase": "training", "epoch": 1, "loss": 0.5, "metric": 0.7, "epoch_ended": True, **progress}
    assert runs.heartbeat(run, timezone.now(), whole)


def billed(run: Run) -> list[tuple[Mapping[str, int], int, str]]:
    """Units, cost and status of its usage events."""
    found = UsageEvent.objects.of_operations(run.pk)
    return [(event.units, event.cost_nanos, event.status) for event in found]


def outcome(run: Run) -> dict[str, Any]:
    return {"spec": {}, "metrics": {"accuracy": 0.9}, "baseline": {}, "facts": {"rows": [1, 1, 1], "parameters": 1}}


def test_a_run_that_ended_well_is_billed_by_the_second_once(table: Dataset) -> None:
    asked_for(table)
    run = claimed()
    held = charges.hold(run)
    assert held.nanos == 60 * SECOND
    assert runs.finish(run, timezone.now(), outcome(run), 12_500)
    for _ in range(3):
        charges.charge(run, held, timezone.now())
        charges.charge_ended(timezone.now() + timedelta(hours=1))
    assert billed(run) == [({"millisecond": 12_500}, 2_500_000, "succeeded")]
    run.refresh_from_db()
    assert (run.cost_nanos, run.charged_at is not None) == (2_500_000, True)
    close_leases()
    assert not differences()


@pytest.mark.parametrize("recorded", [False, True])
def test_a_worker_that_dies_at_the_end_leaves_a_run_that_is_billed_once(table: Dataset, recorded: bool) -> None:
    asked_for(table)
    run = claimed()
    runs.finish(run, timezone.now(), outcome(run), 5_000)
    if recorded:  # it died between the usage event and the run's row
        charges.charge(run, charges.hold(run), timezone.now())
        Run.objects.filter(pk=run.pk).update(charged_at=None, cost_nanos=0, leased_until=timezone.now() + charges.CLAIM)
        charges.charge_ended(timezone.now())
        assert len(billed(run)) == 1
    charges.charge_ended(timezone.now() + charges.CLAIM + timedelta(seconds=1))
    assert billed(run) == [({"millisecond": 5_000}, 1_000_000, "succeeded")]
    run.refresh_from_db()
    assert run.cost_nanos == 1_000_000


def test_a_canceled_run_pays_what_it_used_and_never_more_than_its_budget(table: Dataset) -> None:
    asked_for(table, budget_s=20)
    run = claimed()
    held = charges.hold(run)
    said(run, used_s=25.0)
    runs.cancel(run, timezone.now())
    assert runs.canceled(run, timezone.now())
    charges.charge(run, held, timezone.now())
    assert billed(run) == [({"millisecond": 20_000}, 20 * SECOND, "canceled")]
    waiting = asked_for(table)
    runs.cancel(waiting, timezone.now())
    charges.charge_ended(timezone.now() + timedelta(seconds=1))
    waiting.refresh_from_db()
    assert (waiting.state, waiting.charged_at is not None, billed(waiting)) == ("canceled", True, [])


def test_a_run_that_failed_pays_nothing(table: Dataset) -> None:
    asked_for(table)
    run = claimed()
    held = charges.hold(run)
    said(run, used_s=9.0)
    runs.fail(run, timezone.now(), "It broke.", again=False)
    charges.charge(run, held, timezone.now())
    charges.charge_ended(timezone.now() + timedelta(hours=1))
    assert billed(run) == []
    close_leases()
    assert not any(purse.retired for purse in purses.everyone())


def test_without_budget_a_run_is_refused_before_and_fails_then(table: Dataset, owner: User) -> None:
    client = signed_in(owner)
    fields = {"target": "leaves", "budget_s": "900", "folds": "0", "gaps": "on"}
    fields |= {"role_1": "number", "role_2": "category"}  # of id, age, city, fee the second and the third
    knobs = {"knob_epochs": 4, "knob_units": 8, "knob_dropout": 0.1, "knob_learning_rate": 0.01, "knob_seed": 1}
    taken = holds.hold(table.workspace_id, "", 900_000_000)
    answer = client.post(f"/training/datasets/{table.pk}/train", {**fields, **knobs})
    assert answer.status_code == 422
    assert "0.1" in answer.text
    assert not Run.objects.exists()
    run = asked_for(table, budget_s=900)
    trainer.train(claimed())
    run.refresh_from_db()
    assert (run.state, billed(run)) == (RunState.FAILED, [])
    holds.release(taken)
    answer = client.post(f"/training/datasets/{table.pk}/train", {**fields, **knobs}, follow=True)
    made = Run.objects.latest("created_at")
    assert made.asked == {"target": "leaves", "task": "tabular-classification", "leave_out": ["fee"], "folds": 0}
    assert made.params["units"] == 8
    assert "queued" in answer.text


def test_a_curve_goes_on_where_the_checkpoint_was(table: Dataset) -> None:
    asked_for(table)
    lost = claimed()
    for epoch in (1, 2, 3):
        said(lost, epoch=epoch, used_s=epoch)
    Run.objects.filter(pk=lost.pk).update(leased_until=timezone.now() - timedelta(seconds=1))
    run = claimed()
    said(run, epoch=3, loss=0.4, used_s=2.5)
    run.refresh_from_db()
    assert [(point["epoch"], point["loss"]) for point in run.curve] == [(1, 0.5), (2, 0.5), (3, 0.4)]
    assert run.used_ms == 2_500


def test_a_dataset_that_a_run_needs_stays(table: Dataset, owner: User) -> None:
    run = asked_for(table)
    client = signed_in(owner)
    assert "cancel it first" in client.post(f"/training/datasets/{table.pk}/delete", follow=True).text
    client.post(f"/training/runs/{run.pk}/cancel")
    client.post(f"/training/datasets/{table.pk}/delete")
    assert not Dataset.objects.exists()
    assert "leaves" in client.get(f"/training/runs/{run.pk}").text


@pytest.mark.slow
def test_a_table_is_learnt_judged_published_and_its_next_version_compared(table: Dataset, owner: User) -> None:
    run = asked_for(table, folds=3)
    trainer.train(claimed())
    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED, run.error
    assert run.outcome is not None
    assert 0 < run.cost_nanos == run.used_ms * SECOND // 1_000
    evaluation = run.outcome["evaluation"]
    assert sum(map(sum, evaluation["confusion"])) == run.outcome["facts"]["rows"][2] == 24
    assert len(evaluation["folds"]) == 3
    features = {feature["name"]: feature for feature in run.outcome["spec"]["features"]}
    assert features.keys() == {"age", "city"}
    assert set(features["city"]["choices"]) == {"Rome", "Oslo", "Lima"}
    json.dumps(run.outcome)
    client = signed_in(owner)
    page = client.get(f"/training/runs/{run.pk}").text
    assert "Confusion matrix" in page
    assert "<polyline" in page
    form = {"name": "leaves", "title": "Who leaves", "notes": "first", "price": "0.0003"}
    form |= {"visibility": "workspace", "percent": "100"}
    assert client.post(f"/training/runs/{run.pk}/publish", {**form, "name": "No Name"}).status_code == 422
    client.post(f"/training/runs/{run.pk}/publish", form)
    run.refresh_from_db()
    assert run.version is not None
    model = run.version.model
    assert (model.visibility, model.live_version, releasing.price_of(model)) == (
        Visibility.WORKSPACE,
        run.version,
        300_000,
    )
    assert "Who leaves" in client.get("/models/olga/leaves").text
    assert releasing.release(run, Release("other")) == run.version
    next_run = asked_for(table)
    Run.objects.filter(pk=next_run.pk).update(state=RunState.SUCCEEDED, outcome=run.outcome)
    assert "olga/leaves 1" in client.get(f"/training/runs/{next_run.pk}").text


def test_another_workspace_sees_neither_runs_nor_models(table: Dataset, stranger: User) -> None:
    run = asked_for(table)
    other = signed_in(stranger)
    assert other.get(f"/training/runs/{run.pk}").status_code == 404
    assert other.post(f"/training/runs/{run.pk}/cancel").status_code == 404
    assert other.post(f"/training/runs/{run.pk}/publish").status_code == 404
    assert other.get(f"/training/datasets/{table.pk}/train").status_code == 404
    assert "leaves" not in other.get("/training").text
