"""DNN on words: which tokens are in a text, wherever they stand, through dense layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marketplace.training.recipes.own import reading
from marketplace.training.recipes.recipe import SEED, Knob

KNOBS = {
    "epochs": Knob(40, 1, 1000),
    "width": Knob(32, 2, 512),  # of a token's vector
    "units": Knob(32, 2, 1024),
    "dropout": Knob(0.3, 0.0, 0.9),
    "learning_rate": Knob(0.005, 1e-6, 1.0),
    "seed": SEED,
}


def body(inputs: Mapping[str, Any], prepared: Any, chosen: Mapping[str, Any]) -> Any:
    """See recipe.TableRecipe."""
    import keras

    vectors, there = reading.vectors(inputs, prepared, chosen)
    seen = reading.mean(vectors, there)
    for layer in (keras.layers.Dense(chosen["units"], "relu"), keras.layers.Dropout(chosen["dropout"])):
        seen = layer(seen)
    return seen
