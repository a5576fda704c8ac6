"""CNN: convolutions find the same pattern anywhere in a picture; three stages, each half as wide and high."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marketplace.training.recipes.recipe import SEED, Knob

KNOBS = {
    "epochs": Knob(20, 1, 1000),
    "filters": Knob(16, 2, 256),  # of the first stage; each has twice as many as the one before
    "dropout": Knob(0.3, 0.0, 0.9),
    "learning_rate": Knob(0.003, 1e-6, 1.0),
    "seed": SEED,
}
STAGES = 3


def body(inputs: Mapping[str, Any], prepared: Any, chosen: Mapping[str, Any]) -> Any:
    """See recipe.TableRecipe."""
    import keras

    layers = keras.layers
    image = prepared.changed(inputs["pixels"])
    for stage in range(STAGES):
        image = layers.Conv2D(chosen["filters"] * 2**stage, 3, padding="same", activation="relu")(image)
        image = layers.MaxPooling2D()(image)
    flat = layers.Dropout(chosen["dropout"])(layers.Flatten()(image))
    return layers.Dense(chosen["filters"] * 2**STAGES, "relu")(flat)
