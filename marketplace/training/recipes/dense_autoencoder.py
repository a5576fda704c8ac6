"""Dense autoencoder: an array of numbers becomes a short code, and the code the array again.

Two dense networks with a narrow layer between them (Hinton and Salakhutdinov 2006). What it cannot restore it has not seen the
like of: the error tells what is unusual. Parameters: KNOBS.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.training.recipes import fitting
from marketplace.training.recipes.datasets.digits import digits
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

KNOBS = {
    "epochs": Knob(150, 1, 1000),
    "units": Knob(128, 4, 1024),
    "code": Knob(8, 1, 64),  # numbers of a code
    "learning_rate": Knob(0.003, 1e-6, 1.0),
    "seed": SEED,
}
Rows = NDArray[np.float32]


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs = chosen["seed"], chosen["epochs"]
    report(Progress("loading data", 0, epochs))
    if dataset != "digits":
        raise ValueError(f"{dataset!r} are not arrays that this recipe knows: use digits")
    table = digits(seed)
    learnt, checked, judged = (part.x[..., 0] for part in (table.train, table.validation, table.test))

    import keras

    fitting.begin(seed)
    model, whole = _networks(learnt.shape[1:], chosen)
    batch = 64
    rate = keras.optimizers.schedules.CosineDecay(chosen["learning_rate"], epochs * (len(learnt) // batch + 1))
    model.compile(keras.optimizers.Adam(rate), "mean_squared_error", metrics=["root_mean_squared_error"])
    model.fit(
        learnt,
        learnt,
        validation_data=(checked, checked),
        epochs=epochs,
        batch_size=batch,
        verbose=0,
        callbacks=[fitting.progress_callback(report, epochs, "root_mean_squared_error")],
    )
    report(Progress("exporting", epochs, epochs))
    shape = (None, *learnt.shape[1:])
    serve = fitting.export(whole, "pixels", shape, out, dict)
    report(Progress("evaluating", epochs, epochs))
    mean = learnt.mean(0)
    return Outcome(
        ModelSpec(
            (Tensor("pixels", "float32", shape),),
            (
                Tensor("code", "float32", (None, chosen["code"])),
                Tensor("error", "float32", (None,)),
                Tensor("restored", "float32", shape),
            ),
            examples=tuple({"inputs": {"pixels": [one.tolist()]}} for one in judged[:2]),
        ),
        judge(serve(judged)["restored"].numpy(), judged, mean),
        judge(np.broadcast_to(mean, judged.shape), judged, mean),
        {
            "rows": [len(learnt), len(checked), len(judged)],
            "unit": "arrays",
            "parameters": int(model.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def judge(found: Rows, truth: Rows, mean: Rows) -> dict[str, float]:
    """R²: one less the squared errors' share of what always answering `mean`, of the training split, leaves; and their root."""
    squares = float(np.square(found - truth).sum())
    return {
        "r2": 1 - squares / float(np.square(truth - mean).sum()),
        "rmse": float(np.sqrt(squares / truth.size)),
    }


def _networks(shape: tuple[int, ...], chosen: Mapping[str, Any]) -> tuple[Any, Any]:
    """What is fitted, (n, *shape) → the same; and what is served, which gives code, restored and error besides."""
    import keras

    layers, units = keras.layers, chosen["units"]
    given = keras.Input(shape)
    seen = layers.Dense(units // 2, "relu")(layers.Dense(units, "relu")(layers.Flatten()(given)))
    code = layers.Dense(chosen["code"], name="code")(seen)
    told = layers.Dense(units, "relu")(layers.Dense(units // 2, "relu")(code))
    restored = layers.Reshape(shape)(layers.Dense(int(np.prod(shape)), "sigmoid")(told))
    apart = keras.ops.square(restored - given)
    error = keras.ops.mean(apart, axis=tuple(range(1, len(shape) + 1)))
    return keras.Model(given, restored), keras.Model(given, {"code": code, "error": error, "restored": restored})
