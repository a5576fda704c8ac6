"""DNN: dense layers over standardised measurements.

The standardisation is a layer fitted on the training split only and exported with the network, so that serving takes
the measurements as they are. Parameters: KNOBS; the second hidden layer has half the units.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from marketplace.tasks.task import Feature, ModelSpec, Tensor
from marketplace.training.recipes import datasets, fitting
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

KNOBS = {
    "epochs": Knob(60, 1, 1000),
    "units": Knob(32, 2, 4096),
    "dropout": Knob(0.2, 0.0, 0.9),
    "learning_rate": Knob(0.005, 1e-6, 1.0),
    "seed": SEED,
}


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs = chosen["seed"], chosen["epochs"]
    report(Progress("loading data", 0, epochs))
    if dataset != "breast-cancer":
        raise ValueError(f"{dataset!r} is not a table that this recipe knows: use breast-cancer")
    table = datasets.breast_cancer(seed)

    import keras

    fitting.begin(seed)
    standardise = keras.layers.Normalization()
    standardise.adapt(table.train.x)
    hidden = [
        layer
        for units in (chosen["units"], chosen["units"] // 2)
        for layer in (keras.layers.Dense(units, "relu"), keras.layers.Dropout(chosen["dropout"]))
    ]
    model = keras.Sequential(
        [
            keras.Input((table.train.x.shape[1],)),
            standardise,
            *hidden,
            keras.layers.Dense(len(table.labels), "softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(chosen["learning_rate"]),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(
        table.train.x,
        table.train.y,
        validation_data=(table.validation.x, table.validation.y),
        epochs=epochs,
        batch_size=32,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping("val_loss", patience=12, restore_best_weights=True),
            fitting.progress_callback(report, epochs, "accuracy"),
        ],
    )
    report(Progress("exporting", epochs, epochs))
    serve = fitting.export(model, "features", (None, table.train.x.shape[1]), out)
    report(Progress("evaluating", epochs, epochs))
    metrics = fitting.judge(serve(table.test.x)["probabilities"].numpy(), table.test.y)
    low, high, typical = table.train.x.min(0), table.train.x.max(0), np.median(table.train.x, axis=0)
    features = tuple(
        Feature(name, _short(low[i]), _short(high[i]), _short(typical[i])) for i, name in enumerate(table.features)
    )
    examples = tuple(
        {"features": {name: _short(row[i]) for i, name in enumerate(table.features)}} for row in table.test.x[:4]
    )
    return Outcome(
        ModelSpec(
            (Tensor("features", "float32", (None, len(features))),),
            fitting.probabilities_of(table.labels),
            table.labels,
            features,
            examples,
        ),
        metrics,
        fitting.majority(table.train.y, table.test.y),
        {
            "rows": [len(part.y) for part in (table.train, table.validation, table.test)],
            "parameters": int(model.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def _short(value: float) -> float:
    """Four significant digits: what a person would type."""
    return float(f"{value:.4g}")
