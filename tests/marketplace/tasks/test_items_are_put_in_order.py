"""Recommendations and rankings: by id or title, without what was chosen, and what is unknown is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from marketplace.errors import InputInvalid
from marketplace.tasks import registry
from marketplace.tasks.schema import Check
from marketplace.tasks.task import Item, ModelSpec, Tensor

SPEC = ModelSpec(
    (Tensor("history", "str", (None, 3)),),
    items=(Item("moka", "Moka pot"), Item("beans", "Espresso beans"), Item("tent", "Tent"), Item("lamp", "Head lamp")),
)
SCORES = {"scores": np.array([[0.4, 0.3, 0.1, 0.2]], np.float32)}
RECOMMENDATION, RANKING = registry.get("recommendation").codec, registry.get("ranking").codec


def titles(answer: Any) -> list[str]:
    return [item["title"] for item in answer["items"]]


def test_the_model_reads_ids_the_latest_last_and_no_more_than_it_holds() -> None:
    def read(*history: str) -> Any:
        return RECOMMENDATION.prepare({"history": history}, SPEC)["history"].tolist()

    assert read() == [[b"", b"", b""]]
    assert read("Moka pot", "tent") == [[b"", b"moka", b"tent"]]
    assert read("moka", "beans", "TENT", "Head lamp") == [[b"beans", b"tent", b"lamp"]]


def test_what_was_chosen_or_excluded_is_not_recommended() -> None:
    answer = RECOMMENDATION.present({"history": ["Moka pot"], "exclude": ["lamp"]}, SCORES, SPEC)
    assert answer["items"] == [
        {"id": "beans", "title": "Espresso beans", "score": 0.3}, {"id": "tent", "title": "Tent", "score": 0.1},
    ]  # fmt: skip
    assert titles(RECOMMENDATION.present({"history": [], "k": 2}, SCORES, SPEC)) == ["Moka pot", "Espresso beans"]


def test_candidates_are_put_in_order_with_chances_that_sum_to_one() -> None:
    given = {"history": ["moka"], "candidates": ["Tent", "Moka pot", "lamp", "tent"]}
    answer = RANKING.present(given, SCORES, SPEC)
    assert titles(answer) == ["Moka pot", "Head lamp", "Tent"]
    assert sum(item["score"] for item in answer["items"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("codec", "given", "pointer"),
    [
        (RECOMMENDATION, {"history": ["tent", "Moka pots"]}, "/input/history/1"),
        (RECOMMENDATION, {"history": [], "exclude": ["Moka pots"]}, "/input/exclude/0"),
        (RANKING, {"history": [], "candidates": ["tent", "Moka pots"]}, "/input/candidates/1"),
    ],
    ids=lambda value: str(value) if isinstance(value, (dict, str)) else type(value).__name__,
)
def test_an_unknown_item_is_named_with_the_nearest_known_one(codec: Any, given: Any, pointer: str) -> None:
    Check(codec.input_schema(SPEC))(given)
    with pytest.raises(InputInvalid, match="'Moka pots' is no item of this model; did you mean Moka pot?") as caught:
        codec.prepare(given, SPEC)
    assert caught.value.param == pointer


@pytest.mark.parametrize(
    ("codec", "given", "pointer"),
    [
        (RECOMMENDATION, {}, "/input"),
        (RECOMMENDATION, {"history": [], "k": 0}, "/input/k"),
        (RECOMMENDATION, {"history": [5]}, "/input/history/0"),
        (RANKING, {"history": []}, "/input"),
        (RANKING, {"history": [], "candidates": []}, "/input/candidates"),
    ],
    ids=lambda value: str(value) if isinstance(value, (dict, str)) else type(value).__name__,
)
def test_what_does_not_fit_is_pointed_at(codec: Any, given: Any, pointer: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        Check(codec.input_schema(SPEC))(given)
    assert caught.value.param == pointer


def test_the_schema_names_the_items() -> None:
    schema = RECOMMENDATION.input_schema(SPEC)
    assert schema["properties"]["history"]["items"]["examples"] == ["Moka pot", "Espresso beans", "Tent", "Head lamp"]


def test_a_catalog_survives_its_row() -> None:
    assert ModelSpec.from_json(SPEC.to_json()) == SPEC
