"""CNN: convolutions over an image of one thing on a plain ground, such as a digit on paper.

In the exported graph, before the network: dark ink on light paper is inverted, the ink's bounding box is cut out with its
proportions kept, blurred like a coarse scan and scaled to one size. So a drawing, a photo and an 8×8 thumbnail look alike
to the network. While training, the scans are redrawn at random as other hands and pens would have drawn them.
Parameters: KNOBS.
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
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

SIDE = 64  # of the image that the signature takes
FINE = 48  # of the square that is cut out around the ink
INNER = 16  # of the square that the network sees
KNOBS = {"epochs": Knob(16, 1, 500), "learning_rate": Knob(0.004, 1e-6, 1.0), "seed": SEED}


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs = chosen["seed"], chosen["epochs"]
    report(Progress("loading data", 0, epochs))
    if dataset != "digits":
        raise ValueError(f"{dataset!r} are not images that this recipe knows: use digits")
    table = digits(seed)

    import keras
    import tensorflow as tf

    fitting.begin(seed)
    images = [_enlarge(part.x) for part in (table.train, table.validation, table.test)]
    focus = _focus_layer()
    network = keras.Sequential(
        [
            keras.Input((INNER, INNER, 1)),
            keras.layers.Conv2D(24, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(48, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(96, "relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(len(table.labels), "softmax"),
        ]
    )
    model = keras.Sequential([keras.Input((SIDE, SIDE, 1)), _redraw_layer(), focus, network])
    batch = 32
    rate = keras.optimizers.schedules.CosineDecay(chosen["learning_rate"], epochs * (len(table.train.y) // batch + 1))
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        images[0],
        table.train.y,
        validation_data=(images[1], table.validation.y),
        epochs=epochs,
        batch_size=batch,
        verbose=0,
        callbacks=[fitting.progress_callback(report, epochs, "accuracy")],
    )
    report(Progress("exporting", epochs, epochs))
    served = keras.Sequential([keras.Input((SIDE, SIDE, 1)), focus, network])
    serve = fitting.export(served, "image", (None, SIDE, SIDE, 1), out)
    report(Progress("evaluating", epochs, epochs))
    metrics = fitting.judge(serve(images[2])["probabilities"].numpy(), table.test.y)
    tf.keras.backend.clear_session()
    return Outcome(
        ModelSpec(
            (Tensor("image", "float32", (None, SIDE, SIDE, 1)),),
            fitting.probabilities_of(table.labels),
            table.labels,
            examples=tuple({"image": _png(image)} for image in images[2][:4]),
        ),
        metrics,
        fitting.majority(table.train.y, table.test.y),
        {
            "rows": [len(part.y) for part in (table.train, table.validation, table.test)],
            "parameters": int(network.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def _enlarge(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The images at the size that the signature takes, with a margin as a drawing has."""
    import tensorflow as tf

    inner = SIDE * 3 // 4
    margin = (SIDE - inner) // 2
    large = tf.image.resize(images, (inner, inner), "bilinear").numpy()
    return np.pad(large, ((0, 0), (margin, margin), (margin, margin), (0, 0))).astype(np.float32)


def _png(image: NDArray[np.float32]) -> str:
    return "data:image/png;base64," + png((image[..., 0] * 255).round().astype(np.uint8))


def _focus_layer() -> Any:
    """A layer: (n, SIDE, SIDE, 1) of any polarity → (n, INNER, INNER, 1), light ink on dark, centred, filling the square."""
    import keras
    import tensorflow as tf

    @keras.saving.register_keras_serializable("mercato")
    class Focus(keras.layers.Layer):  # type: ignore[misc] # keras publishes no types
        def call(self, image: Any) -> Any:
            # Paper is what most of the border shows, even where the ink touches it.
            border = tf.concat([image[:, 0, :, 0], image[:, -1, :, 0], image[:, :, 0, 0], image[:, :, -1, 0]], 1)
            paper = tf.sort(border, axis=1)[:, 2 * SIDE, None, None, None]
            light, dark = tf.nn.relu(image - paper), tf.nn.relu(paper - image)
            ink = tf.where(_sum(light**2) > _sum(dark**2), light, dark)
            # Specks smaller than a stroke do not widen the box.
            smooth = tf.nn.avg_pool2d(ink, 3, 1, "SAME")[..., 0]
            there = tf.cast(smooth > 0.25 * tf.reduce_max(smooth, [1, 2], keepdims=True) + 1e-4, tf.float32)
            steps = tf.range(SIDE, dtype=tf.float32)

            def span(axis: int) -> tuple[Any, Any]:
                hit = tf.reduce_max(there, axis)
                last = tf.reduce_max(hit * (steps + 1.0), 1)
                first = SIDE - tf.reduce_max(hit * (SIDE - steps), 1)
                return tf.minimum(first, last), last

            (top, bottom), (left, right) = span(2), span(1)
            half = tf.maximum(tf.maximum(bottom - top, right - left), 4.0) / 2 * 1.1
            y, x = (top + bottom) / 2, (left + right) / 2
            boxes = (tf.stack([y - half, x - half, y + half, x + half], 1) - 0.5) / (SIDE - 1)
            cut = tf.image.crop_and_resize(ink, boxes, tf.range(tf.shape(image)[0]), (FINE, FINE))
            # Blurred and scaled to its brightest, a thin stroke looks like a thick one.
            cut = tf.nn.avg_pool2d(tf.nn.avg_pool2d(cut, 4, 1, "SAME"), FINE // INNER, FINE // INNER, "VALID")
            return tf.minimum(cut / (0.8 * tf.reduce_max(cut, [1, 2, 3], keepdims=True) + 1e-6), 1.0)

        def compute_output_shape(self, shape: Any) -> Any:
            return (shape[0], INNER, INNER, 1)

    def _sum(image: Any) -> Any:
        return tf.reduce_sum(image, [1, 2, 3], keepdims=True)

    return Focus()


def _redraw_layer() -> Any:
    """A layer for training: turned, slanted, stretched, wavering, and with the crisp edge of a pen of any thickness."""
    import keras
    import tensorflow as tf

    @keras.saving.register_keras_serializable("mercato")
    class Redraw(keras.layers.Layer):  # type: ignore[misc] # keras publishes no types
        def call(self, image: Any, training: bool = False) -> Any:
            if not training:
                return image
            n = tf.shape(image)[0]

            def each(low: float, high: float) -> Any:
                return tf.random.uniform([n], low, high)

            angle, slant = each(-0.2, 0.2), each(-0.25, 0.25)
            wide, tall = tf.exp(each(-0.25, 0.25)), tf.exp(each(-0.1, 0.1))
            centre, zero = (SIDE - 1) / 2, tf.zeros([n])
            a, b = wide * tf.cos(angle), wide * (slant * tf.cos(angle) - tf.sin(angle))
            c, d = tall * tf.sin(angle), tall * (slant * tf.sin(angle) + tf.cos(angle))
            image = tf.raw_ops.ImageProjectiveTransformV3(
                images=image,
                transforms=tf.stack([a, b, centre * (1 - a - b), c, d, centre * (1 - c - d), zero, zero], 1),
                output_shape=[SIDE, SIDE],
                interpolation="BILINEAR",
                fill_mode="CONSTANT",
                fill_value=0.0,
            )
            waver = tf.image.resize(tf.random.normal([n, 4, 4, 2], stddev=2.2), (SIDE, SIDE), "bicubic")
            grid = tf.stack(tf.meshgrid(tf.range(SIDE), tf.range(SIDE), indexing="ij"), -1)
            there = tf.clip_by_value(grid + tf.cast(tf.round(waver), tf.int32), 0, SIDE - 1)
            image = tf.gather_nd(image, there, batch_dims=1)
            image /= tf.reduce_max(image, [1, 2, 3], keepdims=True) + 1e-6

            def every(low: float, high: float) -> Any:
                return each(low, high)[:, None, None, None]

            crisp = tf.sigmoid((image - every(0.35, 0.75)) * every(8.0, 30.0))
            crisp = tf.where(every(0, 1) < 0.4, -tf.nn.max_pool2d(-crisp, 3, 1, "SAME"), crisp)
            return tf.where(every(0, 1) < 0.2, image, crisp)

    return Redraw()
