"""RNN: an LSTM reads a text in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marketplace.training.recipes.own import reading

KNOBS = reading.RECURRENT


def body(inputs: Mapping[str, Any], prepared: Any, chosen: Mapping[str, Any]) -> Any:
    """See recipe.TableRecipe."""
    import keras

    return reading.in_both_directions(keras.layers.LSTM, inputs, prepared, chosen)
