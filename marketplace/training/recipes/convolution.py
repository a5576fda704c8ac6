"""CNN: convolutions over an image of one thing on a plain ground, such as a digit on paper.

In the exported graph, before the network: dark ink on light paper is inverted, the ink's bounding box is cut out with its
proportions kept, and scaled to one size. So a drawing, a scan and an 8×8 thumbnail look alike to the network.
Parameters: epochs, learning_rate, seed.
"""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.training.recipes import datasets, fitting
from marketplace.training.recipes.recipe import Outcome, Progress, Report

SIDE = 64  # of the image that the signature takes
INNER = 20  # of the square that the network sees


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe."""
    started = time.monotonic()
    seed, epochs = int(params.get("seed", 1)), int(params.get("epochs", 20))
    report(Progress("loading data", 0, epochs))
    if dataset != "digits":
        raise ValueError(f"{dataset!r} are not images that this recipe knows: use digits")
    table = datasets.digits(seed)

    import keras
    import tensorflow as tf

    fitting.begin(seed)
    focus = _focus_layer()
    parts = [focus(_enlarge(part.x)) for part in (table.train, table.validation)]
    network = keras.Sequential(
        [
            keras.Input((INNER, INNER, 1)),
            keras.layers.RandomRotation(0.03, fill_mode="constant"),
            keras.layers.RandomZoom((-0.1, 0.1), (-0.15, 0.15), fill_mode="constant"),
            keras.layers.RandomTranslation(0.05, 0.05, fill_mode="constant"),
            _pen_layer(),
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
    batch = 32
    rate = keras.optimizers.schedules.CosineDecay(
        float(params.get("learning_rate", 0.004)), epochs * (len(table.train.y) // batch + 1)
    )
    network.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    network.fit(
        parts[0],
        table.train.y,
        validation_data=(parts[1], table.validation.y),
        epochs=epochs,
        batch_size=batch,
        verbose=0,
        callbacks=[fitting.progress_callback(report, epochs, "accuracy")],
    )
    report(Progress("exporting", epochs, epochs))
    model = keras.Sequential([keras.Input((SIDE, SIDE, 1)), focus, network])
    serve = fitting.export(model, "image", (None, SIDE, SIDE, 1), out)
    report(Progress("evaluating", epochs, epochs))
    enlarged = _enlarge(table.test.x)
    metrics = fitting.judge(serve(enlarged)["probabilities"].numpy(), table.test.y)
    tf.keras.backend.clear_session()
    return Outcome(
        ModelSpec(
            (Tensor("image", "float32", (None, SIDE, SIDE, 1)),),
            fitting.probabilities_of(table.labels),
            table.labels,
            examples=tuple({"image": _png(image)} for image in enlarged[:4]),
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
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray((image[..., 0] * 255).round().astype(np.uint8)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _focus_layer() -> Any:
    """A layer: (n, SIDE, SIDE, 1) of any polarity → (n, INNER, INNER, 1), light ink on dark, centred, filling the square."""
    import keras
    import tensorflow as tf

    @keras.saving.register_keras_serializable("mercato")
    class Focus(keras.layers.Layer):  # type: ignore[misc] # keras publishes no types
        def call(self, image: Any) -> Any:
            edge = tf.concat([image[:, :2], image[:, -2:]], 1)
            paper = tf.reduce_mean(edge, [1, 2, 3], keepdims=True)
            ink = tf.abs(image - paper)
            ink /= tf.reduce_max(ink, [1, 2, 3], keepdims=True) + 1e-6
            there = tf.cast(ink[..., 0] > 0.25, tf.float32)
            steps = tf.range(SIDE, dtype=tf.float32)

            def span(axis: int) -> tuple[Any, Any]:
                hit = tf.reduce_max(there, axis)
                last = tf.reduce_max(hit * (steps + 1.0), 1)
                first = SIDE - tf.reduce_max(hit * (SIDE - steps), 1)
                return tf.minimum(first, last), last

            (top, bottom), (left, right) = span(2), span(1)
            half = tf.maximum(tf.maximum(bottom - top, right - left), 4.0) / 2 * 1.15
            y, x = (top + bottom) / 2, (left + right) / 2
            boxes = (tf.stack([y - half, x - half, y + half, x + half], 1) - 0.5) / (SIDE - 1)
            return tf.image.crop_and_resize(ink, boxes, tf.range(tf.shape(image)[0]), (INNER, INNER))

        def compute_output_shape(self, shape: Any) -> Any:
            return (shape[0], INNER, INNER, 1)

    return Focus()


def _pen_layer() -> Any:
    """A layer for training: pens differ in thickness, so ink is spread or thinned, and its edge hardened, at random."""
    import keras
    import tensorflow as tf

    @keras.saving.register_keras_serializable("mercato")
    class Pen(keras.layers.Layer):  # type: ignore[misc] # keras publishes no types
        def call(self, image: Any, training: bool = False) -> Any:
            if not training:
                return image
            thick = tf.nn.max_pool2d(image, 3, 1, "SAME")
            thin = -tf.nn.max_pool2d(-image, 2, 1, "SAME")
            n = tf.shape(image)[0]
            pick = tf.random.uniform([n, 1, 1, 1])
            image = tf.where(pick < 0.25, (image + thick) / 2, tf.where(pick > 0.75, (image + thin) / 2, image))
            hard = tf.sigmoid((image - 0.45) * tf.random.uniform([n, 1, 1, 1], 4.0, 16.0))
            return tf.where(tf.random.uniform([n, 1, 1, 1]) < 0.5, hard, image)

    return Pen()
