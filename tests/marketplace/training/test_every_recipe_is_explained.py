"""Whoever chooses a recipe is told what it is and when it is the right one."""

from __future__ import annotations

from marketplace.training.architectures import ARCHITECTURES
from marketplace.training.recipes import registry
from tests.house.tree import ROOT


def test_every_recipe_for_ones_own_data_is_explained_in_the_form_and_the_docs() -> None:
    assert set(ARCHITECTURES) == set(registry.OWN_RECIPES)
    docs = (ROOT / "docs" / "training.md").read_text()
    for name in registry.OWN_RECIPES:
        assert f"| `{name}` |" in docs
        assert registry.get_for_tables(name).KNOBS["seed"]


def test_the_architectures_by_name_can_be_learnt() -> None:
    for name in (
        "dense",
        "convolution",
        "lstm",
        "recurrent",
        "transformer",
        "seq2seq",
        "two_tower",
        "gan",
        "autoencoder",
    ):
        assert callable(registry.get(name).train)
