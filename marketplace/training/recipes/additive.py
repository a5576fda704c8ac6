"""Additive networks: one small network a feature, whose outputs are summed, so that every answer gives its reasons.

The logit of the second of two labels is a base and one number a feature, each a function of that feature alone: a
generalised additive model (Hastie and Tibshirani 1986) with networks as its functions (Agarwal et al., *Neural additive
models*, 2021). A feature's number is 0 on average over the training split, so that it says how much this row's value speaks
for or against the label; nothing is approximated. The logits are calibrated on the validation split by Platt's scaling,
which keeps them a sum, and exported so.

Signature: {"features": (B, F)} → {"probabilities": (B, 2), "contributions": (B, F), "base": (B, 1)}, where
logit(probabilities[:, 1]) = base + Σ contributions. Parameters: KNOBS.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from marketplace.tasks.task import Feature, ModelSpec, Tensor
from marketplace.training.recipes import calibrating, fitting
from marketplace.training.recipes.datasets.credit import credit
from marketplace.training.recipes.datasets.splits import Part, Table
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

KNOBS = {
    "epochs": Knob(30, 1, 1000),
    "units": Knob(16, 2, 512),
    "dropout": Knob(0.0, 0.0, 0.9),
    "learning_rate": Knob(0.01, 1e-6, 1.0),
    "seed": SEED,
}
TABLES = {"credit": credit}


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
    import tensorflow as tf

    fitting.begin(seed)
    each = _each(table.train, chosen)
    model = keras.Sequential([each, _sum()])
    model.compile(
        keras.optimizers.AdamW(chosen["learning_rate"], weight_decay=0.01),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.AUC(from_logits=True, name="auc")],
    )
    model.fit(
        table.train.x,
        table.train.y,
        validation_data=(table.validation.x, table.validation.y),
        epochs=epochs,
        batch_size=128,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping("val_loss", patience=6, restore_best_weights=True),
            fitting.progress_callback(report, epochs, "auc"),
        ],
    )
    report(Progress("exporting", epochs, epochs))
    _export(model, each, table, out)
    report(Progress("evaluating", epochs, epochs))
    loaded = tf.saved_model.load(str(out))
    chances = loaded.signatures["serving_default"](features=tf.constant(table.test.x))["probabilities"].numpy()
    return Outcome(
        _spec(table),
        fitting.judge(chances, table.test.y) | calibrating.judge(chances[:, 1], table.test.y),
        _base_rate(table),
        {
            "rows": [len(part.y) for part in (table.train, table.validation, table.test)],
            "parameters": int(model.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
            "calibration": {"label": table.labels[1], "groups": calibrating.table(chances[:, 1], table.test.y)},
        },
    )


def _each(train: Part, chosen: Mapping[str, Any]) -> Any:
    """Rows → a number a feature (B, F), each by a network of two hidden layers that sees this feature alone."""
    import keras

    count, units = train.x.shape[1], chosen["units"]
    standardise = keras.layers.Normalization()
    standardise.adapt(train.x)
    alone = [
        keras.layers.Reshape((count, 1)),
        keras.layers.EinsumDense("bfi,fio->bfo", (count, units), bias_axes="fo", activation="relu"),
        keras.layers.Dropout(chosen["dropout"]),
        keras.layers.EinsumDense("bfi,fio->bfo", (count, units), bias_axes="fo", activation="relu"),
        keras.layers.EinsumDense("bfi,fio->bfo", (count, 1)),
        keras.layers.Reshape((count,)),
    ]
    return keras.Sequential([keras.Input((count,)), standardise, *alone])


def _sum() -> Any:
    """Σ and a bias."""
    import keras

    return keras.layers.Dense(1, kernel_initializer="ones", name="sum", trainable=True)


def _export(model: Any, each: Any, table: Table, out: Path) -> None:
    """Writes the SavedModel: the sum's weights and the calibration are folded into the base and the contributions."""
    import keras
    import tensorflow as tf

    weights, bias = (np.asarray(one, np.float64) for one in model.layers[-1].get_weights())
    slope, offset = calibrating.platt(
        model.predict(table.validation.x, verbose=0)[:, 0].astype(np.float64), table.validation.y
    )
    typical = each.predict(table.train.x, verbose=0).mean(0).astype(np.float64)
    scale = tf.constant(slope * weights[:, 0], tf.float32)
    centre = tf.constant(typical, tf.float32)
    base = tf.constant(slope * float(typical @ weights[:, 0] + bias[0]) + offset, tf.float32)

    def serve(features: Any) -> dict[str, Any]:
        contributions = (each(features, training=False) - centre) * scale
        logit = tf.reduce_sum(contributions, 1, keepdims=True) + base
        return {
            "probabilities": tf.sigmoid(tf.concat([-logit, logit], 1)),
            "contributions": contributions,
            "base": tf.zeros_like(logit) + base,
        }

    archive = keras.export.ExportArchive()
    archive.track(each)
    shape = (None, table.train.x.shape[1])
    archive.add_endpoint("serve", serve, input_signature=[tf.TensorSpec(shape, tf.float32, name="features")])
    archive.write_out(str(out), verbose=False)


def _base_rate(table: Table) -> dict[str, float]:
    """What giving everybody the training split's shares would reach."""
    share = float(table.train.y.mean())
    chances = np.tile(np.array([1 - share, share], np.float32), (len(table.test.y), 1))
    # One chance for all is one group.
    error = {"calibration_error": abs(share - float(table.test.y.mean()))}
    return fitting.judge(chances, table.test.y) | calibrating.judge(chances[:, 1], table.test.y) | error


def _spec(table: Table) -> ModelSpec:
    x = table.train.x
    columns = zip(table.features, x.min(0), x.max(0), np.median(x, axis=0), strict=True)
    features = tuple(Feature(name, _short(low), _short(high), _short(middle)) for name, low, high, middle in columns)
    examples = tuple(
        {"features": {name: _short(value) for name, value in zip(table.features, row, strict=True)}}
        for row in table.test.x[:4]
    )
    count = len(features)
    return ModelSpec(
        (Tensor("features", "float32", (None, count)),),
        (
            *fitting.probabilities_of(table.labels),
            Tensor("contributions", "float32", (None, count)),
            Tensor("base", "float32", (None, 1)),
        ),
        table.labels,
        features,
        examples,
    )


def _short(value: float) -> float:
    """Four significant digits: what a person would type."""
    return float(f"{value:.4g}")
