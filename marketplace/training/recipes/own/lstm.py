"""RNN: an LSTM reads a text in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marketplace.training.recipes import uploaded
from marketplace.training.recipes.own import reading
from marketplace.training.recipes.recipe import SEED, Clock, Knob, Outcome, Report, TableWork, choose

KNOBS = {
    "epochs": Knob(30, 1, 1000),
    "width": Knob(32, 2, 512),  # of a token's vector
    "units": Knob(24, 2, 512),
    "dropout": Knob(0.3, 0.0, 0.9),
    "learning_rate": Knob(0.005, 1e-6, 1.0),
    "seed": SEED,
}


def train_table(work: TableWork, params: Mapping[str, Any], report: Report, out: Path, clock: Clock) -> Outcome:
    """See recipe.TableRecipe."""
    chosen = choose(params, KNOBS)

    def body(inputs: Any, prepared: Any) -> Any:
        import keras

        return reading.in_both_directions(keras.layers.LSTM, inputs, prepared, chosen)

    return uploaded.train(work, uploaded.plain(chosen, body, report, clock), out)
