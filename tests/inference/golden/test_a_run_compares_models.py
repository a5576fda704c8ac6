"""A run asks each model for each example once, within its ceiling, and sets the models side by side."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from billing.errors import NoBudget
from billing.gate.caps import set_cap
from billing.metering.models import UsageEvent
from billing.plans import terms
from billing.prices.quote import Scheme
from inference.golden import files, running, runs, scoring, sets
from inference.golden.models import GoldenRun, GoldenSet
from inference.golden.runs import GoldenRunInvalid
from inference.models import Delivery
from marketplace.catalog import versions
from marketplace.catalog.models import Model
from marketplace.publishing import importing
from marketplace.tasks.task import ModelSpec
from portal.accounts.keys.issuing import issue, revoke
from portal.accounts.keys.lookup import Caller, caller
from portal.accounts.models import Workspace
from portal.kit import ids
from tests.fixtures.oracle import Oracle

EXAMPLES = [
    {"input": f"question {at}", "expected": f"answer {at}", "slices": {"parity": "even" if at % 2 == 0 else "odd"}}
    for at in range(1, 9)
]
MILLION = 1_000_000
READ, WRITTEN = 1_000_000_000, 2_000_000_000  # nano-dollars of a million tokens
COST = (10 * READ + 5 * WRITTEN) // MILLION  # of an answer of the oracle


def talker(oracle: Oracle, name: str, priced: bool = True) -> str:
    acme = Workspace.objects.get_or_create(slug="acme", defaults={"name": "Acme"})[0]
    brought = importing.Brought("chat", "openai", oracle.url, ModelSpec(max_output_tokens=64), {})
    price = Scheme({"input_token": READ, "output_token": WRITTEN}) if priced else None
    importing.add_version(acme, name, brought, price, confirmed=True)
    terms.forget()
    return f"acme/{name}"


@pytest.fixture
def who(funded: Workspace) -> Caller:
    return caller(issue(funded, "judge")[0])


@pytest.fixture
def golden(workspace: Workspace) -> GoldenSet:
    return sets.make(ids.make("gold"), workspace.pk, "questions", "chat", files.of_list("chat", EXAMPLES))


def begin(who: Caller, golden: GoldenSet, models: list[str], ceiling: int | None = None) -> GoldenRun:
    return runs.begin(ids.make("grun"), who, golden, models, ceiling)


def worked(run: GoldenRun, until: Callable[[], bool] = lambda: False) -> GoldenRun:
    """Rounds until it is over, as a worker makes them; pauses are passed over."""
    for _ in range(40):
        GoldenRun.objects.filter(pk=run.pk).update(leased_until=None)
        claimed = running.claim(timezone.now())
        if claimed is None or until():
            break
        running.work(claimed)
    run.refresh_from_db()
    return run


def billed(run: GoldenRun) -> list[int]:
    events = UsageEvent.objects.filter(operation_id__startswith=run.pk)
    return [event.cost_nanos for event in events if event.status == "succeeded"]


def test_models_are_set_side_by_side_and_each_answer_is_billed_as_usual(
    oracle: Oracle, who: Caller, golden: GoldenSet
) -> None:
    oracle.knows = {f"question {at}": f"answer {at}" for at in range(1, 7)}
    other = Oracle()
    other.knows = {f"question {at}": f"It is answer {at}." for at in range(1, 9)}
    run = worked(begin(who, golden, [talker(oracle, "terse"), talker(other, "chatty")]))
    assert (run.state, run.why) == ("completed", "")
    assert billed(run) == [COST] * 16
    assert run.cost_nanos == 16 * COST
    assert sorted(oracle.asked) == sorted(other.asked) == sorted(one["input"] for one in EXAMPLES)
    terse, chatty = run.results["models"]
    assert terse["model"] == "acme/terse@1"
    assert (terse["answered"], terse["errors"], terse["per_1000_nanos"]) == (8, 0, 1000 * COST)
    assert terse["figures"]["exact_match"][0] == 0.75
    assert chatty["figures"]["exact_match"][0] == 0.0
    assert chatty["figures"]["contains"] == [1.0, 1.0, 1.0]
    low, high = terse["figures"]["exact_match"][1:]
    assert low < 0.75 < high
    assert run.results["behind"][0] is None
    assert run.results["behind"][1][0] == 0.75
    odd = next(one for one in run.results["slices"] if one["value"] == "odd")
    assert (odd["examples"], odd["figures"][0][0]) == (4, 0.75)
    assert terse["p50_ms"] <= terse["p95_ms"]
    assert {one["number"] for one in run.results["telling"]} >= {7, 8}
    other.shutdown()
    other.server_close()


def test_the_ceiling_is_kept_to_the_nano_and_said(oracle: Oracle, who: Caller, golden: GoldenSet) -> None:
    name = talker(oracle, "dear")
    guessed = runs.estimate(who, golden, [name])[0]
    assert guessed.most_nanos > 8 * COST, "nobody knows how much is written"
    one = guessed.most_nanos // 8
    run = worked(begin(who, golden, [name], ceiling=one + 2 * COST))
    assert (run.state, run.why) == ("stopped", "ceiling")
    assert run.cost_nanos == sum(billed(run)) <= run.ceiling_nanos
    assert 1 <= run.results["models"][0]["answered"] < 8
    assert str(runs.WHY[run.why])
    nothing = worked(begin(who, golden, [name], ceiling=0))
    assert (nothing.state, nothing.why, nothing.cost_nanos) == ("stopped", "ceiling", 0)


def test_the_estimate_is_enough_for_the_whole_run(oracle: Oracle, who: Caller, golden: GoldenSet) -> None:
    acme = Workspace.objects.get_or_create(slug="acme", defaults={"name": "Acme"})[0]
    brought = importing.Brought("chat", "openai", oracle.url, ModelSpec(max_output_tokens=64), {})
    importing.add_version(acme, "flat", brought, Scheme({"request": 123_456_789}), confirmed=True)
    terms.forget()
    run = worked(begin(who, golden, ["acme/flat"]))
    assert (run.state, run.cost_nanos) == ("completed", run.ceiling_nanos) == ("completed", 8 * 123)
    run = worked(begin(who, golden, [talker(oracle, "whole")]))
    assert run.state == "completed"


def test_what_a_worker_was_billed_for_before_it_died_is_not_billed_again(
    oracle: Oracle, who: Caller, golden: GoldenSet
) -> None:
    run = begin(who, golden, [talker(oracle, "once")])
    worked(run)
    assert len(billed(run)) == 8
    run.answers.filter(number__lte=3).update(status=None, said=None)  # as if it had died before it wrote them
    GoldenRun.objects.filter(pk=run.pk).update(state="running", results=None, leased_until=None)
    run = worked(run)
    assert run.state == "completed"
    assert sum(billed(run)) == 8 * COST == run.cost_nanos
    assert run.results["models"][0]["cost_nanos"] == 8 * COST
    assert len(oracle.asked) == 11, "asked again, for nothing"


def test_a_run_belongs_to_one_worker_while_its_lease_lasts(oracle: Oracle, who: Caller, golden: GoldenSet) -> None:
    begin(who, golden, [talker(oracle, "leased")])
    now = timezone.now()
    assert running.claim(now) is not None
    assert running.claim(now) is None
    assert not running.waiting(now)
    assert running.claim(now + running.LEASE) is not None, "its worker was silent for too long"


def test_one_that_is_cancelled_keeps_and_judges_what_was_answered(
    oracle: Oracle, who: Caller, golden: GoldenSet
) -> None:
    run = begin(who, golden, [talker(oracle, "left")])
    runs.cancel(run)
    run = worked(run)
    assert (run.state, run.cost_nanos, run.results["models"][0]["answered"]) == ("canceled", 0, 0)
    assert oracle.asked == []


def test_what_fails_is_tried_again_then_counted_and_costs_nothing(
    oracle: Oracle, who: Caller, golden: GoldenSet
) -> None:
    oracle.fails = {"question 2"}
    run = worked(begin(who, golden, [talker(oracle, "shaky")]))
    (model,) = run.results["models"]
    assert (run.state, model["answered"], model["errors"]) == ("completed", 7, 1)
    assert oracle.asked.count("question 2") == running.MOST_ATTEMPTS
    assert model["reasons"][0][1] == 1
    assert run.cost_nanos == 7 * COST


def test_a_version_that_goes_live_meanwhile_does_not_mix_in(oracle: Oracle, who: Caller, golden: GoldenSet) -> None:
    run = begin(who, golden, [talker(oracle, "moving")])
    model = Model.objects.get(name="moving")
    versions.publish(model, engine="openai", source="http://127.0.0.1:9/v1", spec=ModelSpec())
    run = worked(run)
    assert (run.versions, run.results["models"][0]["errors"]) == (["acme/moving@1"], 0)


def test_budget_for_not_even_one_example_refuses_it_at_once(
    oracle: Oracle, golden: GoldenSet, funded: Workspace
) -> None:
    key = issue(funded, "poor")[0]
    set_cap(key, 1)
    with pytest.raises(NoBudget):
        begin(caller(key), golden, [talker(oracle, "costly")])
    assert not GoldenRun.objects.exists()


def test_the_cap_of_a_key_binds_its_runs(oracle: Oracle, golden: GoldenSet, funded: Workspace) -> None:
    key = issue(funded, "small")[0]
    name = talker(oracle, "capped")
    most = runs.estimate(caller(key), golden, [name])[0].most_nanos // 8
    set_cap(key, most + COST)
    run = worked(begin(caller(key), golden, [name]))
    assert (run.state, run.why) == ("stopped", "budget")
    assert run.cost_nanos == sum(billed(run)) <= most + COST


def test_without_its_key_it_stops(oracle: Oracle, golden: GoldenSet, funded: Workspace) -> None:
    key = issue(funded, "gone")[0]
    run = begin(caller(key), golden, [talker(oracle, "keyless")])
    revoke(key)
    assert (worked(run).state, worked(run).why) == ("stopped", "key")


def test_models_that_cannot_be_compared_are_refused(oracle: Oracle, who: Caller, golden: GoldenSet) -> None:
    name = talker(oracle, "fine", priced=False)
    for models in ([], [name] * 2, [f"{name}@1"] * 9):
        with pytest.raises(GoldenRunInvalid):
            begin(who, golden, models)
    acme = Workspace.objects.get(slug="acme")
    brought = importing.Brought("embeddings", "openai", oracle.url, ModelSpec(), {})
    importing.add_version(acme, "vectors", brought, None)
    with pytest.raises(GoldenRunInvalid, match="another task"):
        begin(who, golden, [name, "acme/vectors"])


def test_begun_twice_it_is_one_and_its_end_is_told_once(oracle: Oracle, who: Caller, golden: GoldenSet) -> None:
    from inference.later.deliveries import _make

    _make(who.workspace_id, "https://example.com/hook", [])
    name, run_id = talker(oracle, "twice"), ids.make("grun")
    run = runs.begin(run_id, who, golden, [name], None)
    assert runs.begin(run_id, who, golden, [name], None).pk == run.pk
    run = worked(run)
    running._end(run, running.GoldenState.COMPLETED, "")
    assert [one.payload["status"] for one in Delivery.objects.filter(kind="golden_run.completed")] == ["completed"]


def test_results_can_be_made_again_from_the_rows(oracle: Oracle, who: Caller, golden: GoldenSet) -> None:
    run = worked(begin(who, golden, [talker(oracle, "again")]))
    assert scoring.results(run) == run.results
