"""Nobody takes a starter for more than it is."""

from __future__ import annotations

import pytest

from marketplace.catalog.languages import native
from marketplace.tasks import registry
from marketplace.training.recipes.registry import RECIPES
from marketplace.training.starters.registry import STARTERS
from marketplace.training.starters.starter import Starter, card


@pytest.mark.parametrize("starter", STARTERS, ids=lambda s: s.name)
def test_a_card_says_in_its_first_line_that_it_is_a_demonstration(starter: Starter) -> None:
    assert starter.about.startswith("**A demonstration on ")
    assert "data" in starter.about.splitlines()[0]


@pytest.mark.parametrize("starter", STARTERS, ids=lambda s: s.name)
def test_the_baseline_stands_beside_what_was_measured(starter: Starter) -> None:
    metric = registry.get(starter.task).metrics[0]
    outcome = {
        "metrics": {metric.name: 0.75},
        "baseline": {metric.name: 0.25},
        "facts": {"rows": [1, 1, 1], "parameters": 1, "seconds": 1.0, "seed": 1},
    }
    assert f"| {metric.label} | {metric.show(0.75)} | {metric.show(0.25)} |" in card(starter, outcome)


@pytest.mark.parametrize("starter", STARTERS, ids=lambda s: s.name)
def test_what_a_starter_names_exists(starter: Starter) -> None:
    assert starter.recipe in RECIPES
    assert all(native(code) != code for code in starter.languages)
    assert bool(starter.languages) == (registry.get(starter.task).modality == "language")


def test_every_task_has_a_starter() -> None:
    assert {starter.task for starter in STARTERS} == set(registry.TASKS)
