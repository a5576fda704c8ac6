"""Super-resolution: a residual CNN that doubles a picture's sides, trained on patches of photographs.

Shi et al. 2016 (sub-pixel convolution: all work is done at the small size, and the last layer's channels become pixels)
with Kim et al. 2016 (the network learns only what bicubic interpolation lacks). It takes pictures of any size.
Parameters: KNOBS.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from marketplace.tasks.pictures import png
from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.training.recipes import enhancing, fitting
from marketplace.training.recipes.datasets.photographs import Pixels, patches, strips
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

FACTOR = 2
SIDE = 48  # of a patch that is learnt from, in pixels of the large picture
TEST_SIDE = 64
FLOOR = 1e-4  # a squared error that nobody sees: what lies below counts no more
KNOBS = {
    "epochs": Knob(5, 1, 500),
    "filters": Knob(24, 4, 256),
    "learning_rate": Knob(0.002, 1e-6, 1.0),
    "seed": SEED,
}


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs = chosen["seed"], chosen["epochs"]
    report(Progress("loading data", 0, epochs))
    if dataset != "photographs":
        raise ValueError(f"{dataset!r} are not pictures that this recipe knows: use photographs")
    parts = strips()
    # Every second patch is turned by a quarter: a photograph has more level edges than upright ones.
    learnt = patches(parts.train, SIDE, SIDE // 3)
    learnt[::2] = learnt[::2].transpose(0, 2, 1, 3)
    checked, judged = patches(parts.validation, TEST_SIDE, TEST_SIDE), patches(parts.test, TEST_SIDE, TEST_SIDE)

    import keras
    import tensorflow as tf

    fitting.begin(seed)
    model = _network(chosen["filters"])
    batch = 16
    rate = keras.optimizers.schedules.CosineDecay(chosen["learning_rate"], epochs * (len(learnt) // batch + 1))
    model.compile(keras.optimizers.Adam(rate), _loss(), metrics=[enhancing.psnr()])
    model.fit(
        enhancing.unit(_small(learnt)),
        enhancing.unit(learnt),
        validation_data=(enhancing.unit(_small(checked)), enhancing.unit(checked)),
        epochs=epochs,
        batch_size=batch,
        verbose=0,
        callbacks=[fitting.progress_callback(report, epochs, "psnr")],
    )
    report(Progress("exporting", epochs, epochs))
    serve = fitting.export(model, "image", (1, None, None, 3), out, "enhanced")
    report(Progress("evaluating", epochs, epochs))
    small = _small(judged)
    enhanced = np.concatenate([enhancing.levels(serve(enhancing.unit(one[None]))["enhanced"].numpy()) for one in small])
    metrics = enhancing.compare(enhanced, judged)
    tf.keras.backend.clear_session()
    return Outcome(
        ModelSpec(
            (Tensor("image", "float32", (1, None, None, 3)),),
            (Tensor("enhanced", "float32", (1, None, None, 3)),),
            examples=tuple(
                {"image": "data:image/png;base64," + png(_small(strip[None, top : top + 128])[0])}
                for top in (170, 40)
                for strip in parts.test
            ),
        ),
        metrics,
        enhancing.compare(_bicubic(small), judged),
        {
            "rows": [len(learnt), len(checked), len(judged)],
            "unit": "patches",
            "parameters": int(model.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def _network(filters: int) -> Any:
    """(n, height, width, 3) from 0 to 1 → the same, twice as high and wide."""
    import keras
    import tensorflow as tf

    def interpolated(image: Any) -> Any:
        return tf.image.resize(image, FACTOR * tf.shape(image)[1:3], "bicubic", antialias=True)

    def shuffled(image: Any) -> Any:
        return tf.nn.depth_to_space(image, FACTOR)

    given = keras.Input((None, None, 3))
    seen = keras.layers.Conv2D(filters, 5, padding="same", activation="relu")(keras.layers.Rescaling(1, -0.5)(given))
    for _ in range(2):
        seen = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(seen)
    # Zeros at first: learning begins at what bicubic interpolation gives.
    detail = keras.layers.Conv2D(3 * FACTOR**2, 3, padding="same", kernel_initializer="zeros")(seen)
    shape = (None, None, 3)
    whole = keras.layers.Add()(
        [
            keras.layers.Lambda(interpolated, output_shape=shape)(given),
            keras.layers.Lambda(shuffled, output_shape=shape)(detail),
        ]
    )
    return keras.Model(given, whole)


def _loss() -> Any:
    """The logarithm of each patch's squared error, as PSNR has it: smooth patches count as much as rough ones."""
    import tensorflow as tf

    def loss(truth: Any, found: Any) -> Any:
        return tf.math.log(tf.reduce_mean((truth - found) ** 2, [1, 2, 3]) + FLOOR)

    return loss


def _resized(images: Pixels, factor: float) -> Pixels:
    height, width = (round(side * factor) for side in images.shape[1:3])
    return np.stack(
        [np.asarray(Image.fromarray(one).resize((width, height), Image.Resampling.BICUBIC)) for one in images]
    )


def _small(images: Pixels) -> Pixels:
    return _resized(images, 1 / FACTOR)


def _bicubic(images: Pixels) -> Pixels:
    """The trivial baseline."""
    return _resized(images, FACTOR)
