"""The recommenders as callers have them: trained by their recipe, served, billed, and right about what goes together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from inference.engines.engine import ReplicaSpec, Work
from inference.engines.tensorflow.savedmodel import SavedModel
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec
from marketplace.training.recipes.datasets.shop import PRODUCTS, shop
from marketplace.training.starters.registry import by_name
from tests.fixtures.serving import Installation
from tests.fixtures.training import Trained

pytestmark = pytest.mark.slow


def titles(answer: Any) -> list[str]:
    return [item["title"] for item in answer["items"]]


@pytest.fixture
def serve(trained_starter: Callable[[str], Trained]) -> Callable[[str], Callable[[Any], Any]]:
    """Gives the starter of this name as a function from input to output."""

    def of(name: str) -> Callable[[Any], Any]:
        run = trained_starter(name)
        spec = ModelSpec.from_json(run.outcome["spec"])
        task = registry.get(by_name(name).task)
        made = SavedModel(ReplicaSpec("r", "tensorflow", str(run.folder), f"mercato/{name}", task, spec))
        made.load()
        return lambda given: made.infer(Work(given)).output

    return of


def test_a_basket_of_a_pursuit_is_answered_with_what_belongs_to_it(serve: Any) -> None:
    ask = serve("products")
    for line in PRODUCTS.strip().splitlines():
        products = [one.split("/")[0] for one in line.split("; ")]
        found = titles(ask({"history": products[:3], "k": 5}))
        assert len(set(found) & set(products)) >= 3, f"{products[:3]} gave {found}"
        assert not set(found) & set(products[:3])


def test_somebody_new_is_shown_what_is_popular(serve: Any, trained_starter: Any) -> None:
    log = shop(trained_starter("products").outcome["facts"]["seed"])
    counts = np.bincount(np.concatenate(log.train.sequences), minlength=len(log.items))
    popular = {log.items[at].title for at in np.argsort(-counts)[:20]}
    found = titles(serve("products")({"history": []}))
    assert len(popular & set(found)) >= 7


def test_the_scores_of_the_whole_catalog_are_chances(serve: Any) -> None:
    found = serve("articles")({"history": [], "k": 100})["items"]
    assert len(found) == 77
    assert sum(item["score"] for item in found) == pytest.approx(1, abs=1e-3)


def test_a_menu_is_put_in_the_order_of_the_guest(serve: Any) -> None:
    ask = serve("ranking")
    menu = ["Pad thai", "Steak frites", "Palak paneer", "Margherita pizza", "Salmon sushi", "Larb"]
    fish = titles(ask({"history": ["Sashimi", "Fish tacos", "Sole meunière", "Ceviche"], "candidates": menu}))
    meat = titles(ask({"history": ["Cheeseburger", "Coq au vin", "Lasagne", "Carnitas"], "candidates": menu}))
    assert sorted(fish) == sorted(meat) == sorted(menu)
    assert fish.index("Salmon sushi") < fish.index("Steak frites")
    assert meat.index("Steak frites") < meat.index("Salmon sushi")


def test_ids_that_the_model_has_never_met_are_passed_over(trained_starter: Any) -> None:
    run = trained_starter("people")
    spec = ModelSpec.from_json(run.outcome["spec"])
    task = registry.get("recommendation")
    made = SavedModel(ReplicaSpec("r", "tensorflow", str(run.folder), "mercato/people", task, spec))
    made.load()
    known = spec.items[3].id.encode()
    rows = np.asarray([[b""] * 19 + [known], [b"", b"nobody"] * 9 + [b"", known]], object)
    one, other = made.infer(Work({"history": rows}, raw=True)).output["scores"]
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_callers_get_items_and_pay_by_request(installation: Installation, served_starter: Callable[[str], str]) -> None:
    path = f"/v1/models/{served_starter('products')}/predictions"
    status, answer, headers = installation.call(path, {"input": {"history": ["Moka pot", "milk-frother"], "k": 3}})
    assert (status, len(answer["output"]["items"])) == (200, 3), answer
    assert answer["output"]["items"][0].keys() == {"id", "title", "score"}
    assert headers["x-mercato-cost"] == "0.0001"
    status, answer, _ = installation.call(path, {"input": {"history": ["Moka pott"]}})
    assert (status, answer["error"]["param"]) == (422, "/input/history/0")
    assert "did you mean Moka pot?" in answer["error"]["message"]
