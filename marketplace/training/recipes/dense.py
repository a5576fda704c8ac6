"""DNN: dense layers over standardised measurements, for classes or for a number.

The standardisation is a layer fitted on the training split only and exported with the network, so that serving takes
the measurements as they are; a number is estimated in its own unit. Parameters: KNOBS; the second hidden layer has half
the units.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from marketplace.tasks.task import Feature, ModelSpec, Tensor
from marketplace.training.recipes import fitting
from marketplace.training.recipes.datasets import tables
from marketplace.training.recipes.datasets.splits import Table
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

KNOBS = {
    "epochs": Knob(60, 1, 1000),
    "units": Knob(32, 2, 4096),
    "dropout": Knob(0.2, 0.0, 0.9),
    "learning_rate": Knob(0.005, 1e-6, 1.0),
    "seed": SEED,
}
TABLES = {"breast-cancer": tables.breast_cancer, "diabetes": tables.diabetes}


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs = chosen["seed"], chosen["epochs"]
    report(Progress("loading data", 0, epochs))
    if dataset not in TABLES:
        raise ValueError(f"{dataset!r} is not a table that this recipe knows: use {' or '.join(TABLES)}")
    table = TABLES[dataset](seed)

    import keras

    fitting.begin(seed)
    model, shown = _network(table, chosen)
    model.fit(
        table.train.x,
        table.train.y,
        validation_data=(table.validation.x, table.validation.y),
        epochs=epochs,
        batch_size=32,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping("val_loss", patience=12, restore_best_weights=True),
            fitting.progress_callback(report, epochs, shown),
        ],
    )
    report(Progress("exporting", epochs, epochs))
    gives = "probabilities" if table.labels else "value"
    serve = fitting.export(model, "features", (None, table.train.x.shape[1]), out, gives)
    report(Progress("evaluating", epochs, epochs))
    answers = serve(table.test.x)[gives].numpy()
    if table.labels:
        metrics, baseline = fitting.judge(answers, table.test.y), fitting.majority(table.train.y, table.test.y)
    else:
        metrics, baseline = (
            fitting.judge_numbers(answers[:, 0], table.test.y),
            fitting.mean(table.train.y, table.test.y),
        )
    return Outcome(
        _spec(table),
        metrics,
        baseline,
        {
            "rows": [len(part.y) for part in (table.train, table.validation, table.test)],
            "parameters": int(model.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def hidden(chosen: Mapping[str, Any]) -> list[Any]:
    """The layers between a row and the last layer."""
    import keras

    return [
        layer
        for units in (chosen["units"], chosen["units"] // 2)
        for layer in (keras.layers.Dense(units, "relu"), keras.layers.Dropout(chosen["dropout"]))
    ]


def _network(table: Table, chosen: Mapping[str, Any]) -> tuple[Any, str]:
    """The network, ready to be fitted, and the metric to be shown meanwhile."""
    import keras

    standardise = keras.layers.Normalization()
    standardise.adapt(table.train.x)
    if table.labels:
        head = [keras.layers.Dense(len(table.labels), "softmax")]
        loss, metric = "sparse_categorical_crossentropy", "accuracy"
    else:  # the network learns a standardised number, and the last layer puts it into its unit
        own_unit = keras.layers.Rescaling(float(table.train.y.std()), float(table.train.y.mean()))
        head = [keras.layers.Dense(1), own_unit]
        loss, metric = "mean_squared_error", "mean_absolute_error"
    model = keras.Sequential([keras.Input((table.train.x.shape[1],)), standardise, *hidden(chosen), *head])
    model.compile(keras.optimizers.Adam(chosen["learning_rate"]), loss, metrics=[metric])
    return model, metric


def _spec(table: Table) -> ModelSpec:
    low, high, typical = table.train.x.min(0), table.train.x.max(0), np.median(table.train.x, axis=0)
    features = tuple(
        Feature(name, _short(low[i]), _short(high[i]), _short(typical[i])) for i, name in enumerate(table.features)
    )
    examples = tuple(
        {"features": {name: _short(row[i]) for i, name in enumerate(table.features)}} for row in table.test.x[:4]
    )
    outputs = fitting.probabilities_of(table.labels) if table.labels else (Tensor("value", "float32", (None, 1)),)
    return ModelSpec((Tensor("features", "float32", (None, len(features))),), outputs, table.labels, features, examples)


def _short(value: float) -> float:
    """Four significant digits: what a person would type."""
    return float(f"{value:.4g}")
