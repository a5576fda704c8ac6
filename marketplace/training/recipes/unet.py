"""U-Net: an encoder that sees ever larger parts of an image, and a decoder that goes back to its pixels, with skips between.

Ronneberger et al. 2015. The first layer takes squares of 2×2 pixels, and the last gives them back (Shi et al. 2016), which
halves the sides of all that lies between. Parameters: KNOBS.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.pictures import png
from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.training.recipes import fitting
from marketplace.training.recipes.datasets.digits import digits
from marketplace.training.recipes.datasets.photographs import strips
from marketplace.training.recipes.datasets.shapes import KINDS, compose
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

SIDE = 64  # of the image that the signature takes
FOUND = 2.5  # what a pixel of a thing weighs in learning: most pixels are ground
COUNTS = (1200, 100, 300)
KNOBS = {
    "epochs": Knob(6, 1, 500),
    "filters": Knob(16, 4, 256),
    "learning_rate": Knob(0.004, 1e-6, 1.0),
    "seed": SEED,
}


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs = chosen["seed"], chosen["epochs"]
    report(Progress("loading data", 0, epochs))
    if dataset != "shape-scenes":
        raise ValueError(f"{dataset!r} are not scenes that this recipe knows: use shape-scenes")
    scans, photographs = digits(seed), strips()
    learnt, checked, judged = (
        compose(getattr(scans, part).x, getattr(photographs, part), count, SIDE, seed + at)
        for at, (part, count) in enumerate(zip(("train", "validation", "test"), COUNTS, strict=True))
    )

    import keras
    import tensorflow as tf

    fitting.begin(seed)
    model = _network(chosen["filters"], len(KINDS))
    batch = 8
    rate = keras.optimizers.schedules.CosineDecay(chosen["learning_rate"], epochs * (len(learnt.masks) // batch + 1))
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        learnt.images,
        learnt.masks[..., None],
        sample_weight=np.where(learnt.masks > 0, FOUND, 1.0),
        validation_data=(checked.images, checked.masks[..., None]),
        epochs=epochs,
        batch_size=batch,
        verbose=0,
        callbacks=[fitting.progress_callback(report, epochs, "accuracy")],
    )
    report(Progress("exporting", epochs, epochs))
    serve = fitting.export(model, "image", (None, SIDE, SIDE, 3), out)
    report(Progress("evaluating", epochs, epochs))
    found = serve(judged.images)["probabilities"].numpy().argmax(-1)
    tf.keras.backend.clear_session()
    return Outcome(
        ModelSpec(
            (Tensor("image", "float32", (None, SIDE, SIDE, 3)),),
            (Tensor("probabilities", "float32", (None, SIDE, SIDE, len(KINDS))),),
            KINDS,
            examples=tuple(
                {"image": "data:image/png;base64," + png((image * 255).round().astype(np.uint8))}
                for image in judged.images[:4]
            ),
        ),
        _judge(found, judged.masks),
        _judge(np.zeros_like(found), judged.masks),
        {
            "rows": list(COUNTS),
            "unit": "scenes",
            "parameters": int(model.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def _network(filters: int, kinds: int) -> Any:
    """(n, SIDE, SIDE, 3) from 0 to 1 → (n, SIDE, SIDE, kinds): the probability of each kind at each pixel."""
    import keras
    import tensorflow as tf

    def convolved(seen: Any, count: int, side: int = 3, strides: int = 1) -> Any:
        seen = keras.layers.Conv2D(count, side, strides, padding="same", use_bias=False)(seen)
        return keras.layers.Activation("relu")(keras.layers.BatchNormalization(momentum=0.9)(seen))

    given = keras.Input((SIDE, SIDE, 3))
    seen = convolved(keras.layers.Rescaling(2, -1)(given), filters, 4, 2)
    skips = []
    for depth in (1, 2):
        skips.append(seen := convolved(seen, filters * depth))
        seen = convolved(keras.layers.MaxPooling2D()(seen), filters * 2 * depth)
    seen = convolved(seen, filters * 4)
    for depth, skip in zip((2, 1), reversed(skips), strict=True):
        larger = keras.layers.UpSampling2D(interpolation="bilinear")(convolved(seen, filters * depth, 1))
        seen = convolved(keras.layers.Concatenate()([larger, skip]), filters * depth)
    cells = keras.layers.Conv2D(kinds * 4, 3, padding="same")(seen)
    pixels = keras.layers.Lambda(lambda image: tf.nn.depth_to_space(image, 2), output_shape=(SIDE, SIDE, kinds))(cells)
    return keras.Model(given, keras.layers.Softmax()(pixels))


def _judge(found: NDArray[np.int64], truth: NDArray[np.uint8]) -> dict[str, float]:
    """The mean over the kinds of intersection over union, counted over all pixels of all images; and the share that is right."""
    table = np.bincount(truth.ravel().astype(int) * len(KINDS) + found.ravel(), minlength=len(KINDS) ** 2)
    table = table.reshape(len(KINDS), len(KINDS))
    both = np.diag(table)
    return {
        "mean_iou": float((both / (table.sum(0) + table.sum(1) - both)).mean()),
        "pixel_accuracy": float(both.sum() / table.sum()),
    }
