"""Every recipe by name, loaded when first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from marketplace.training.recipes.recipe import Recipe, TableRecipe

RECIPES = {
    "additive": "marketplace.training.recipes.additive",
    "autoencoder": "marketplace.training.recipes.autoencoder",
    "contrastive": "marketplace.training.recipes.contrastive",
    "convolution": "marketplace.training.recipes.convolution",
    "dense": "marketplace.training.recipes.dense",
    "dense_autoencoder": "marketplace.training.recipes.dense_autoencoder",
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


# Recipes that learn what people upload, by what they read. A name may also be that of a recipe above: the same architecture.
OWN = {
    "tabular": ("dense", "additive"),
    "language": ("bag_of_words", "lstm", "gru", "transformer"),
    "vision": ("cnn",),
}
OWN_RECIPES = tuple(name for names in OWN.values() for name in names)


def get_for_tables(name: str) -> TableRecipe:
    """The recipe of this name, which learns uploads. Raises KeyError."""
    if name not in OWN_RECIPES:
        raise KeyError(f"{name!r} learns no uploads: use one of {', '.join(OWN_RECIPES)}")
    return cast(TableRecipe, import_module(f"marketplace.training.recipes.own.{name}"))


def get(name: str) -> Recipe:
    """The recipe of this name. Raises KeyError with the names there are."""
    if name not in RECIPES:
        raise KeyError(f"{name!r} is not a recipe: use one of {', '.join(RECIPES)}")
    return cast(Recipe, import_module(RECIPES[name]))
