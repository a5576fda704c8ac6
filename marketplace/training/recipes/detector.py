"""Single-shot detector: a CNN that says for each cell of a grid whether a thing's centre is in it, which thing, and its box.

Redmon et al. 2016 (YOLO) for the grid; Zhou et al. 2019 (CenterNet) for a box by its centre and size, without anchors. In the
exported graph, after the network: boxes in pixels of the image, and non-max suppression whatever their labels are.
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
from marketplace.training.recipes.average_precision import Found, mean_average_precision
from marketplace.training.recipes.datasets.digits import digits
from marketplace.training.recipes.datasets.scenes import Scenes, compose
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

SIDE = 64  # of the image that the signature takes
STRIDE = 8  # pixels a cell
CELLS = SIDE // STRIDE
TYPICAL = 16.0  # pixels: sizes are learnt as the logarithm of their ratio to it
MOST = 20  # boxes an image
FAINTEST = 0.05  # score of a box that is given at all
OVERLAP = 0.4  # of two boxes, from which on the weaker one is dropped
COUNTS = (3000, 200, 400)
KNOBS = {"epochs": Knob(8, 1, 500), "learning_rate": Knob(0.004, 1e-6, 1.0), "seed": SEED}


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs = chosen["seed"], chosen["epochs"]
    report(Progress("loading data", 0, epochs))
    if dataset != "digit-scenes":
        raise ValueError(f"{dataset!r} are not scenes that this recipe knows: use digit-scenes")
    scans = digits(seed)
    parts = (scans.train, scans.validation, scans.test)
    learnt, checked, judged = (
        compose(part, count, SIDE, seed + at) for at, (part, count) in enumerate(zip(parts, COUNTS, strict=True))
    )

    import keras
    import tensorflow as tf

    fitting.begin(seed)
    kinds = len(scans.labels)
    network = _network(kinds)
    batch = 32
    rate = keras.optimizers.schedules.CosineDecay(chosen["learning_rate"], epochs * (len(learnt.boxes) // batch + 1))
    network.compile(keras.optimizers.Adam(rate), _loss(), metrics=[_recognised()])
    network.fit(
        learnt.images,
        _targets(learnt, kinds),
        validation_data=(checked.images, _targets(checked, kinds)),
        epochs=epochs,
        batch_size=batch,
        verbose=0,
        callbacks=[fitting.progress_callback(report, epochs, "recognised")],
    )
    report(Progress("exporting", epochs, epochs))
    serve = fitting.export(network, "image", (None, SIDE, SIDE, 1), out, _decoded)
    report(Progress("evaluating", epochs, epochs))
    metrics = {"map_50": mean_average_precision(_found(serve, judged), judged.boxes, judged.labels, kinds)}
    tf.keras.backend.clear_session()
    return Outcome(
        ModelSpec(
            (Tensor("image", "float32", (None, SIDE, SIDE, 1)),),
            (
                Tensor("boxes", "float32", (None, MOST, 4)),
                Tensor("scores", "float32", (None, MOST)),
                Tensor("labels", "int32", (None, MOST)),
            ),
            scans.labels,
            examples=tuple(
                {"image": "data:image/png;base64," + png((image[..., 0] * 255).round().astype(np.uint8))}
                for image in judged.images[:4]
            ),
        ),
        metrics,
        {"map_50": mean_average_precision(_whole(learnt, judged), judged.boxes, judged.labels, kinds)},
        {
            "rows": list(COUNTS),
            "unit": "scenes",
            "parameters": int(network.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def _network(kinds: int) -> Any:
    """(n, SIDE, SIDE, 1) → (n, CELLS, CELLS, 5 + kinds): is there a centre, where in the cell, log of the sizes, which kind."""
    import keras

    def convolution(filters: int, side: int = 3, strides: int = 1) -> list[Any]:
        return [
            keras.layers.Conv2D(filters, side, strides, padding="same", use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.Activation("relu"),
        ]

    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            keras.layers.Rescaling(2, -1),
            *convolution(16, 5, 2),
            *convolution(24, 3, 2),
            *convolution(32),
            *convolution(64, 3, 2),
            *convolution(64),
            *convolution(64),
            keras.layers.Conv2D(5 + kinds, 1),
        ]
    )


def _targets(scenes: Scenes, kinds: int) -> NDArray[np.float32]:
    """What the network should say, with the kind as a number: (n, CELLS, CELLS, 6)."""
    told = np.zeros((len(scenes.boxes), CELLS, CELLS, 6), np.float32)
    for at, (boxes, labels) in enumerate(zip(scenes.boxes, scenes.labels, strict=True)):
        centres = boxes[:, :2] + boxes[:, 2:] / 2
        cells = (centres / STRIDE).astype(int)
        for box, label, centre, (x, y) in zip(boxes, labels, centres, cells, strict=True):
            told[at, y, x] = [1, *(centre / STRIDE - (x, y)), *np.log(box[2:] / TYPICAL), label]
    return told


def _loss() -> Any:
    import tensorflow as tf

    def loss(told: Any, said: Any) -> Any:
        there, told_box, kind = told[..., 0], told[..., 1:5], tf.cast(told[..., 5], tf.int32)
        # Cells beside a centre are hard to tell from it, and no harm where they answer as well: suppression drops them.
        near = tf.nn.max_pool2d(told[..., :1], 3, 1, "SAME")[..., 0] - there
        presence = tf.nn.sigmoid_cross_entropy_with_logits(there, said[..., 0]) * (1 - 0.7 * near)
        box = tf.concat([tf.sigmoid(said[..., 1:3]), said[..., 3:5]], -1)
        place = tf.reduce_sum(tf.abs(box - told_box), -1)
        which = tf.nn.sparse_softmax_cross_entropy_with_logits(kind, said[..., 5:])
        return tf.reduce_sum(presence + there * (2 * place + which), [1, 2])

    return loss


def _recognised() -> Any:
    """The share of digits whose kind is right in the cell of their centre."""
    import tensorflow as tf

    def recognised(told: Any, said: Any) -> Any:
        right = tf.cast(tf.argmax(said[..., 5:], -1) == tf.cast(told[..., 5], tf.int64), tf.float32)
        return tf.reduce_sum(right * told[..., 0]) / tf.maximum(tf.reduce_sum(told[..., 0]), 1)

    return recognised


def _decoded(said: Any) -> Mapping[str, Any]:
    """The network's answer as boxes (n, MOST, 4), scores and labels (n, MOST), the surest first; scores end in zeros."""
    import tensorflow as tf

    cells = tf.range(CELLS, dtype=tf.float32)
    corner = tf.stack(tf.meshgrid(cells, cells), -1)  # of each cell: (CELLS, CELLS, x and y)
    centre = (corner + tf.sigmoid(said[..., 1:3])) * STRIDE
    size = tf.exp(tf.clip_by_value(said[..., 3:5], -3.0, 1.5)) * TYPICAL
    low, high = (tf.clip_by_value(centre + side * size / 2, 0.0, float(SIDE)) for side in (-1, 1))
    boxes = tf.reshape(tf.concat([low, high], -1), [-1, CELLS**2, 4])
    kinds = tf.nn.softmax(said[..., 5:])
    scores = tf.reshape(tf.sigmoid(said[..., 0]) * tf.reduce_max(kinds, -1), [-1, CELLS**2])
    labels = tf.reshape(tf.argmax(kinds, -1, tf.int32), [-1, CELLS**2])
    kept, count = tf.image.non_max_suppression_padded(
        boxes, scores, MOST, OVERLAP, FAINTEST, pad_to_max_output_size=True, canonicalized_coordinates=True
    )
    low, high = tf.split(tf.gather(boxes, kept, batch_dims=1), 2, -1)
    return {
        "boxes": tf.concat([low, high - low], -1),
        "scores": tf.where(tf.sequence_mask(count, MOST), tf.gather(scores, kept, batch_dims=1), 0.0),
        "labels": tf.gather(labels, kept, batch_dims=1),
    }


def _found(serve: Any, scenes: Scenes) -> list[Found]:
    answer = {name: tensor.numpy() for name, tensor in serve(scenes.images).items()}
    return [
        Found(answer["boxes"][at][scores > 0], scores[scores > 0], answer["labels"][at][scores > 0])
        for at, scores in enumerate(answer["scores"])
    ]


def _whole(learnt: Scenes, judged: Scenes) -> list[Found]:
    """The trivial baseline: the commonest digit, as large as the image."""
    commonest = np.bincount(np.concatenate(learnt.labels)).argmax()
    one = Found(np.array([[0, 0, SIDE, SIDE]], np.float32), np.ones(1, np.float32), np.array([commonest]))
    return [one] * len(judged.boxes)
