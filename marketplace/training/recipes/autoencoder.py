"""Autoencoder: a picture becomes a code and the code a picture again, without the noise.

A convolutional denoising autoencoder (Vincent et al. 2008): the encoder makes a code of each 2×2 pixels and what is around
them, the decoder a picture of the codes. What is learnt is the clean picture from a noisy one, whose noise is drawn anew each
time; as there is no way around the code, noise must not be in it. A cell's pixels are channels, so that convolutions are cheap
(Shi et al. 2016). It takes pictures of any size. Parameters: KNOBS.
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
from marketplace.training.recipes import enhancing, fitting
from marketplace.training.recipes.datasets.photographs import Pixels, patches, strips
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

SIDE, TEST_SIDE = 48, 64  # of patches, in pixels
CELL = 2  # pixels of a side that become one code
NOISE = 20 / 255  # the deviation that is judged; what is learnt from has from a quarter of it to half as much more
KNOBS = {
    "epochs": Knob(10, 1, 500),
    "filters": Knob(40, 4, 256),
    "code": Knob(12, 1, 512),  # numbers of a code; a cell has as many
    "learning_rate": Knob(0.004, 1e-6, 1.0),
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
    learnt = patches(parts.train, SIDE, SIDE // 3)
    checked, judged = patches(parts.validation, TEST_SIDE, TEST_SIDE), patches(parts.test, TEST_SIDE, TEST_SIDE)

    import keras
    import tensorflow as tf

    fitting.begin(seed)
    network = _network(chosen)
    given = keras.Input((None, None, 3))
    model = keras.Model(given, network(_noise_layer(seed)(given)))
    batch = 6
    rate = keras.optimizers.schedules.CosineDecay(chosen["learning_rate"], epochs * (len(learnt) // batch + 1))
    model.compile(keras.optimizers.Adam(rate), "mean_squared_error", metrics=[enhancing.psnr()])
    clean = enhancing.unit(learnt)
    model.fit(
        clean,
        clean,
        validation_data=(_noisy(checked, seed), enhancing.unit(checked)),
        epochs=epochs,
        batch_size=batch,
        verbose=0,
        callbacks=[fitting.progress_callback(report, epochs, "psnr")],
    )
    report(Progress("exporting", epochs, epochs))
    serve = fitting.export(network, "image", (1, None, None, 3), out, "enhanced")
    report(Progress("evaluating", epochs, epochs))
    noisy = enhancing.levels(_noisy(judged, seed + 1))  # as a file has it
    cleaned = [serve(enhancing.unit(one[None]))["enhanced"].numpy() for one in noisy]
    metrics = enhancing.compare(enhancing.levels(np.concatenate(cleaned)), judged)
    tf.keras.backend.clear_session()
    shown = [strip[top : top + 128] for top in (170, 40) for strip in parts.test]
    return Outcome(
        ModelSpec(
            (Tensor("image", "float32", (1, None, None, 3)),),
            (Tensor("enhanced", "float32", (1, None, None, 3)),),
            examples=tuple(
                {"image": "data:image/png;base64," + png(enhancing.levels(_noisy(one[None], at))[0])}
                for at, one in enumerate(shown)
            ),
        ),
        metrics,
        enhancing.compare(noisy, judged),  # copying what is given
        {
            "rows": [len(learnt), len(checked), len(judged)],
            "unit": "patches",
            "parameters": int(network.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def _noisy(images: Pixels, seed: int) -> NDArray[np.float32]:
    """The pictures from 0 to 1 with noise of the deviation that is judged."""
    noise = np.random.default_rng(seed).normal(0, NOISE, images.shape)
    return (enhancing.unit(images) + noise.astype(np.float32)).clip(0, 1)


def _noise_layer(seed: int) -> Any:
    """A layer for training: noise of a strength that each picture draws for itself."""
    import keras
    import tensorflow as tf

    @keras.saving.register_keras_serializable("mercato")
    class Noise(keras.layers.Layer):  # type: ignore[misc] # keras publishes no types
        def call(self, image: Any, training: bool = False) -> Any:
            if not training:
                return image
            strength = tf.random.uniform([tf.shape(image)[0], 1, 1, 1], 0.25 * NOISE, 1.5 * NOISE)
            return tf.clip_by_value(image + strength * tf.random.normal(tf.shape(image)), 0.0, 1.0)

    return Noise()


def _network(chosen: Mapping[str, Any]) -> Any:
    """(n, height, width, 3) from 0 to 1 → the same, cleaner."""
    import keras
    import tensorflow as tf

    layers, filters = keras.layers, chosen["filters"]

    def whole_cells(image: Any) -> Any:
        """The last row and column repeated until the sides are multiples of CELL."""
        for axis in (1, 2):
            size = tf.shape(image)[axis]
            image = tf.gather(image, tf.minimum(tf.range(-(-size // CELL) * CELL), size - 1), axis=axis)
        return image

    def cut(pair: Any) -> Any:
        whole, image = pair
        return whole[:, : tf.shape(image)[1], : tf.shape(image)[2]]

    def step(call: Any, channels: int) -> Any:
        return layers.Lambda(call, output_shape=(None, None, channels))

    def convolution(channels: int, **more: Any) -> Any:
        return layers.Conv2D(channels, 3, padding="same", activation="relu", **more)

    given = keras.Input((None, None, 3))
    seen = layers.Rescaling(1, -0.5)(step(whole_cells, 3)(given))
    seen = convolution(filters)(step(lambda image: tf.nn.space_to_depth(image, CELL), 3 * CELL**2)(seen))
    code = layers.Conv2D(chosen["code"], 3, padding="same", name="code")(convolution(filters)(seen))
    seen = convolution(filters)(convolution(filters)(code))
    seen = layers.Conv2D(3 * CELL**2, 3, padding="same")(seen)
    whole = layers.Rescaling(1, 0.5)(step(lambda image: tf.nn.depth_to_space(image, CELL), 3)(seen))
    return keras.Model(given, step(cut, 3)([whole, given]))
