"""A wrong parameter of a recipe is named, with what it may be, before anything is loaded."""

from __future__ import annotations

import pytest

from marketplace.training.recipes.recipe import Knob, choose

KNOBS = {"epochs": Knob(20, 1, 500), "dropout": Knob(0.2, 0.0, 0.9)}


def test_what_is_not_given_is_the_default() -> None:
    assert choose({"dropout": 0}, KNOBS) == {"epochs": 20, "dropout": 0}


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"epochs": 0}, "epochs must be a whole number from 1 to 500"),
        ({"epochs": 501}, "from 1 to 500"),
        ({"epochs": 2.5}, "whole number"),
        ({"epochs": "3"}, "whole number"),
        ({"epochs": True}, "whole number"),
        ({"epochs": None}, "whole number"),
        ({"dropout": float("nan")}, "dropout must be a number from 0 to 0.9"),
        ({"epoch": 3}, "'epoch' is not a parameter: use epochs, dropout"),
        ([], "object"),
        (None, "object"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(params: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        choose(params, KNOBS)
