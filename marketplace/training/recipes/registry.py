"""Every recipe by name, loaded when first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from marketplace.training.recipes.recipe import Recipe, TableRecipe

RECIPES = {
    "additive": "marketplace.training.recipes.additive",
    "contrastive": "marketplace.training.recipes.contrastive",
    "convolution": "marketplace.training.recipes.convolution",
    "dense": "marketplace.training.recipes.dense",
    "detector": "marketplace.training.recipes.detector",
    "extract": "marketplace.training.recipes.extract",
    "gan": "marketplace.training.recipes.gan",
    "gpt": "marketplace.training.recipes.gpt",
    "lstm": "marketplace.training.recipes.lstm",
    "recurrent": "marketplace.training.recipes.recurrent",
    "seq2seq": "marketplace.training.recipes.seq2seq",
    "span": "marketplace.training.recipes.span",
    "superresolution": "marketplace.training.recipes.superresolution",
    "transformer": "marketplace.training.recipes.transformer",
    "two_tower": "marketplace.training.recipes.two_tower",
    "unet": "marketplace.training.recipes.unet",
}


TABLE_RECIPES = ("dense",)  # those that also learn tables which people upload


def get_for_tables(name: str) -> TableRecipe:
    """The recipe of this name, which learns uploaded tables. Raises KeyError."""
    if name not in TABLE_RECIPES:
        raise KeyError(f"{name!r} learns no tables: use one of {', '.join(TABLE_RECIPES)}")
    return cast(TableRecipe, import_module(RECIPES[name]))


def get(name: str) -> Recipe:
    """The recipe of this name. Raises KeyError with the names there are."""
    if name not in RECIPES:
        raise KeyError(f"{name!r} is not a recipe: use one of {', '.join(RECIPES)}")
    return cast(Recipe, import_module(RECIPES[name]))
