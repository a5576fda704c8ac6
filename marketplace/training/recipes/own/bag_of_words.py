"""DNN on words: which tokens are in a text, wherever they stand, through dense layers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marketplace.training.recipes import uploaded
from marketplace.training.recipes.own import reading
from marketplace.training.recipes.recipe import SEED, Clock, Knob, Outcome, Report, TableWork, choose

KNOBS = {
    "epochs": Knob(40, 1, 1000),
    "width": Knob(32, 2, 512),  # of a token's vector
    "units": Knob(32, 2, 1024),
    "dropout": Knob(0.3, 0.0, 0.9),
    "learning_rate": Knob(0.005, 1e-6, 1.0),
    "seed": SEED,
}


def train_table(work: TableWork, params: Mapping[str, Any], report: Report, out: Path, clock: Clock) -> Outcome:
    """See recipe.TableRecipe."""
    chosen = choose(params, KNOBS)

    def body(inputs: Any, prepared: Any) -> Any:
        import keras

        vectors, there = reading.vectors(inputs, prepared, chosen)
        seen = reading.mean(vectors, there)
        for layer in (keras.layers.Dense(chosen["units"], "relu"), keras.layers.Dropout(chosen["dropout"])):
            seen = layer(seen)
        return seen

    return uploaded.train(work, uploaded.plain(chosen, body, report, clock), out)
