"""Transformer: an encoder (Vaswani et al. 2017, normalised before each part) whose tokens look at one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marketplace.training.recipes.own import reading
from marketplace.training.recipes.recipe import SEED, Knob

KNOBS = {
    "epochs": Knob(30, 1, 1000),
    "width": Knob(32, 2, 512),  # of a token's vector
    "blocks": Knob(1, 1, 6),
    "heads": Knob(4, 1, 16),
    "dropout": Knob(0.3, 0.0, 0.9),
    "learning_rate": Knob(0.003, 1e-6, 1.0),
    "seed": SEED,
}


def body(inputs: Mapping[str, Any], prepared: Any, chosen: Mapping[str, Any]) -> Any:
    """See recipe.TableRecipe."""
    import keras

    layers, width, ops = keras.layers, chosen["width"], keras.ops
    given, there = reading.vectors(inputs, prepared, chosen)
    places = layers.Embedding(given.shape[1], width)
    seen = given + places(ops.cumsum(ops.ones_like(inputs["tokens"]), 1) - 1)
    for _ in range(chosen["blocks"]):
        calm = layers.LayerNormalization()(seen)
        looks = layers.MultiHeadAttention(chosen["heads"], max(width // chosen["heads"], 1))
        seen = seen + looks(calm, calm, attention_mask=ops.expand_dims(there, 1))
        wide = layers.Dense(2 * width, "gelu")(layers.LayerNormalization()(seen))
        seen = seen + layers.Dropout(chosen["dropout"])(layers.Dense(width)(wide))
    return reading.mean(layers.LayerNormalization()(seen), there)
