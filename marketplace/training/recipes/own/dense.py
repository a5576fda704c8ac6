"""DNN: dense layers over a table's rows, for classes or for a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marketplace.training.recipes.dense import KNOBS, hidden

__all__ = ["KNOBS", "body"]


def body(inputs: Mapping[str, Any], prepared: Any, chosen: Mapping[str, Any]) -> Any:
    """See recipe.TableRecipe."""
    row = prepared.joined(inputs)
    for layer in hidden(chosen):
        row = layer(row)
    return row
