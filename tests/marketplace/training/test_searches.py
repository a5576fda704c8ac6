"""A search over knobs: priced before, one run after another within one budget, the best on the validation wins."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from billing.gate import holds
from billing.metering.models import UsageEvent
from marketplace.errors import DatasetInvalid
from marketplace.training import charges, keeping, releasing, runs, searching, trainer
from marketplace.training.models import Dataset, Run, RunState, Search
from marketplace.training.releasing import Release
from portal.accounts.models import User
from tests.fixtures.people import signed_in
from tests.marketplace.training.test_runs_of_workspaces import ASKED, SECOND, asked_for, claimed, outcome, table

__all__ = ["table"]
FIELDS = {
    "target": "leaves", "role_1": "number", "role_2": "category", "gaps": "on", "budget_s": "120", "budget_usd": "", "knob_epochs": "4",
    "knob_units": "8, 16", "knob_dropout": "0.1", "knob_learning_rate": "0.01 0.02", "knob_seed": "1",
}  # fmt: skip


def search_for(table: Dataset, budget_s: int = 120, **grid: Any) -> Search:
    grid = {"epochs": [3], "units": [4, 8], "learning_rate": [0.01, 0.02], **grid}
    return searching.begin(table, "dense", grid, ASKED, budget_s, charges.terms(table.workspace_id))


def ended(run: Run, accuracy: float, used_ms: int = 5_000) -> Run:
    """As its trainer would end it: with its model on disk, and figures of both splits."""
    searching.allot(run)
    place = keeping.settings.MODELS_DIR / keeping.place_of(run)
    place.mkdir(parents=True)
    (place / "saved_model.pb").write_bytes(b"x")
    said = {**outcome(run), "validation": {"accuracy": accuracy, "log_loss": 0.5}}
    assert runs.finish(run, timezone.now(), said, used_ms)
    charges.charge(run, charges.hold(run), timezone.now())
    run.refresh_from_db()
    assert run.search is not None
    searching.tend(run.search)
    return run


def has_model(run: Run) -> bool:
    return (keeping.settings.MODELS_DIR / keeping.place_of(run)).exists()


def test_a_search_is_asked_for_in_the_browser_with_its_price(table: Dataset, owner: User) -> None:
    client, address = signed_in(owner), f"/training/datasets/{table.pk}/search"
    page = client.get(address).text
    assert "at most 24" in page
    assert "$0.048" in page  # 240 s
    many = {**FIELDS, "knob_units": "2,3,4,5,6", "knob_seed": "1 2 3"}
    assert "These values make 30 runs" in client.post(address, many).text
    assert "4 runs need 60 to 3600 seconds" in client.post(address, {**FIELDS, "budget_s": "59"}).text
    assert client.post(address, {**FIELDS, "knob_units": "8, many"}).status_code == 422
    assert client.post(address, {**FIELDS, "knob_dropout": "0.95"}).status_code == 422
    assert "Give $0.012 to $0.72" in client.post(address, {**FIELDS, "budget_usd": "0.001"}).text
    taken = holds.hold(table.workspace_id, "", 990_000_000)
    assert client.post(address, FIELDS).status_code == 422
    holds.release(taken)
    assert not Run.objects.exists()
    page = client.post(address, {**FIELDS, "budget_usd": "0.02"}, follow=True).text
    assert "0 of 4 runs have ended" in page
    made = Search.objects.get()
    assert made.budget_s == 100
    assert [(run.params["units"], run.params["learning_rate"]) for run in made.runs.order_by("created_at")] == [
        (8, 0.01), (8, 0.02), (16, 0.01), (16, 0.02),
    ]  # fmt: skip
    assert "leaves" in client.get("/training").text


def test_its_runs_share_one_budget_and_what_a_run_leaves_goes_to_the_next(table: Dataset) -> None:
    search = search_for(table, 120)
    shares = []
    for used_ms in (10_000, 50_000, 1_000):
        run = claimed()
        shares.append(ended(run, 0.5, used_ms).budget_s)
    last = claimed()
    searching.allot(last)
    assert shares == [30, 36, 37]  # 120 / 4; 110 / 3; 74 / 2: the second used more than its share of 36
    assert last.budget_s == 73
    trainer.runs.fail(last, timezone.now(), "lost", again=True)
    again = claimed()
    searching.allot(again)
    assert again.budget_s == 73  # a second attempt is no second share
    total = sum(event.cost_nanos for event in UsageEvent.objects.all())
    assert total == (10 + 36 + 1) * SECOND <= search.budget_s * SECOND


def test_the_best_on_the_validation_wins_and_the_others_leave_nothing(table: Dataset, owner: User) -> None:
    search = search_for(table)
    client = signed_in(owner)
    first = ended(claimed(), 0.7)
    second = ended(claimed(), 0.9)
    third = ended(claimed(), 0.8)
    first.refresh_from_db()
    third.refresh_from_db()
    assert [has_model(run) for run in (first, second, third)] == [False, True, False]
    assert first.outcome is not None
    assert "metrics" not in first.outcome
    page = client.get(f"/training/searches/{search.pk}").text
    assert "3 of 4 runs have ended" in page
    assert page.index("#2") < page.index("#3") < page.index("#1")
    # Until all have ended nobody sees what the test part says, nor is anything published.
    page = client.get(f"/training/runs/{second.pk}").text
    assert "the best of the search so far" in page
    assert "How good it is" not in page
    with pytest.raises(DatasetInvalid, match="not ended"):
        releasing.release(second, Release("leaves"))
    runs.fail(claimed(), timezone.now(), "The loss broke.", again=False)
    for _ in range(2):
        searching.tend_open()
    search.refresh_from_db()
    assert search.winner == second
    assert "How good it is" in client.get(f"/training/runs/{second.pk}").text
    assert "its model" not in client.get(f"/training/searches/{search.pk}").text
    assert "was better: the model of this one was removed" in client.get(f"/training/runs/{first.pk}").text
    with pytest.raises(DatasetInvalid, match="no model to publish"):
        releasing.release(first, Release("leaves"))


def test_canceling_ends_all_of_it_and_keeps_the_best(table: Dataset, owner: User) -> None:
    search = search_for(table)
    done = ended(claimed(), 0.7)
    running = claimed()
    client = signed_in(owner)
    client.post(f"/training/searches/{search.pk}/cancel")
    search.refresh_from_db()
    assert (search.ended_at, running.search) == (None, search)
    assert runs.canceled(running, timezone.now())
    searching.tend_open()
    search.refresh_from_db()
    assert (search.winner, search.ended_at is not None) == (done, True)
    states = sorted(search.runs.values_list("state", flat=True))
    assert states == ["canceled", "canceled", "canceled", "succeeded"]
    assert runs.claim(timezone.now()) is None


def test_a_single_run_does_not_wait_for_a_whole_search(table: Dataset) -> None:
    search = search_for(table)
    alone = asked_for(table)
    last = search.runs.latest("created_at")
    assert [runs.ahead_of(run).count() for run in (alone, last)] == [0, 4]
    assert claimed() == alone


def test_another_workspace_sees_no_search(table: Dataset, stranger: User) -> None:
    search = search_for(table)
    other = signed_in(stranger)
    assert other.get(f"/training/searches/{search.pk}").status_code == 404
    assert other.post(f"/training/searches/{search.pk}/cancel").status_code == 404
    assert other.get(f"/training/datasets/{table.pk}/search").status_code == 404
    assert not search.runs.exclude(state=RunState.QUEUED).exists()


def test_models_that_nobody_publishes_go_after_their_time(table: Dataset, settings: LazySettings, owner: User) -> None:
    search = search_for(table, units=[4], learning_rate=[0.01])
    run = ended(claimed(), 0.7)
    loose = settings.MODELS_DIR / ".trained" / "run_of_nobody"
    loose.mkdir()
    begun = settings.MODELS_DIR / ".building" / "run_of_nobody-checkpoints"
    begun.mkdir(parents=True)
    assert keeping.sweep(timezone.now()) == 0
    assert (has_model(run), loose.exists(), begun.exists()) == (True, False, False)
    later = timezone.now() + timedelta(days=settings.TRAINED_KEPT_DAYS + 1)
    assert [keeping.sweep(later), keeping.sweep(later)] == [1, 0]
    assert not has_model(run)
    search.refresh_from_db()
    assert search.winner == run
    assert "Nobody published this model in time" in signed_in(owner).get(f"/training/runs/{run.pk}").text


@pytest.mark.slow
def test_a_search_is_trained_to_its_winner(table: Dataset) -> None:
    search = search_for(table, units=[4], learning_rate=[0.000001, 0.05], epochs=[12])
    for _ in range(2):
        trainer.train(claimed())
    search.refresh_from_db()
    assert search.winner is not None
    assert search.winner.params["learning_rate"] == 0.05
    assert search.winner.outcome is not None
    assert search.winner.outcome["validation"]["accuracy"] > 0.5
    made = releasing.release(search.winner, Release("leaves"))
    assert made.metrics == search.winner.outcome["metrics"]
