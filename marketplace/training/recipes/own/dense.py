"""DNN: dense layers over a table's rows, for classes or for a number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marketplace.training.recipes import uploaded
from marketplace.training.recipes.dense import KNOBS, hidden
from marketplace.training.recipes.recipe import Clock, Outcome, Report, TableWork, choose

__all__ = ["KNOBS", "train_table"]


def train_table(work: TableWork, params: Mapping[str, Any], report: Report, out: Path, clock: Clock) -> Outcome:
    """See recipe.TableRecipe."""
    chosen = choose(params, KNOBS)

    def body(inputs: Any, prepared: Any) -> Any:
        row = prepared.joined(inputs)
        for layer in hidden(chosen):
            row = layer(row)
        return row

    return uploaded.train(work, uploaded.plain(chosen, body, report, clock), out)
