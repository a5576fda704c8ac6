"""What recipes on texts share: tokens as vectors, and what is made of a row of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marketplace.training.recipes.recipe import SEED, Knob

RECURRENT = {  # knobs of what reads in order
    "epochs": Knob(30, 1, 1000),
    "width": Knob(32, 2, 512),  # of a token's vector
    "units": Knob(24, 2, 512),
    "dropout": Knob(0.3, 0.0, 0.9),
    "learning_rate": Knob(0.005, 1e-6, 1.0),
    "seed": SEED,
}


def vectors(inputs: Mapping[str, Any], prepared: Any, chosen: Mapping[str, Any]) -> tuple[Any, Any]:
    """Keras: a vector for each token (B, T, width), and whether a token is there (B, T)."""
    import keras

    tokens = inputs["tokens"]
    looked_up = keras.layers.Embedding(prepared.tokens, chosen["width"])(tokens)
    return keras.layers.Dropout(chosen["dropout"])(looked_up), tokens > 0


def mean(vectors: Any, there: Any) -> Any:
    """Keras: the mean of the vectors that are there (B, width). One is there always."""
    import keras

    weight = keras.ops.expand_dims(keras.ops.cast(there, "float32"), -1)
    return keras.ops.sum(vectors * weight, 1) / keras.ops.sum(weight, 1)


def in_both_directions(layer: Any, inputs: Mapping[str, Any], prepared: Any, chosen: Mapping[str, Any]) -> Any:
    """Keras: what a recurrent layer says at each token at most, to the one side and to the other (B, 2 · units)."""
    import keras

    given, there = vectors(inputs, prepared, chosen)
    states = keras.layers.Bidirectional(layer(chosen["units"], return_sequences=True))(given, mask=there)
    away = keras.ops.expand_dims(keras.ops.cast(there, "float32") - 1, -1)  # 0 where a token is, else -1
    return keras.layers.Dropout(chosen["dropout"])(keras.ops.max(states + 2 * away, 1))
