"""GAN: a generator that draws what a discriminator cannot tell from scans, each for a digit that is asked for.

Goodfellow et al. 2014; conditioned as Mirza & Osindero 2014 (the generator) and Miyato & Koyama 2018 (the discriminator's
projection) have it; held stable by R1, a penalty on the discriminator's gradient at real scans (Mescheder et al. 2018). What is
exported is the running mean of the generator's weights. The noise is made in the exported graph from a seed a picture, so that
the same seed gives the same picture: {"label": int32 (n,), "seed": int64 (n, 2)} → {"images": (n, 128, 128, 1)}, dark on
light. Parameters: KNOBS.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.training.recipes import fitting
from marketplace.training.recipes.datasets.digits import digits
from marketplace.training.recipes.datasets.splits import Part, Table
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

NOISE = 24
SCAN = 8  # pixels a side, as the discriminator sees them
SIDE = 128  # of a picture
BATCH = 64
PENALTY = 0.3
KEPT = 0.995  # of the running mean of the generator's weights, a step
EACH = 50  # pictures a digit that are judged
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
KNOBS = {"epochs": Knob(250, 1, 5000), "learning_rate": Knob(0.001, 1e-6, 1.0), "seed": SEED}
SHOWN = 10  # so often the progress is judged
Floats = NDArray[np.float32]


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
    generator, discriminator = _generator(), _discriminator()
    _fit(generator, discriminator, table, chosen, report)
    report(Progress("exporting", epochs, epochs))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "label"), tf.TensorSpec([None, 2], tf.int64, "seed")])  # type: ignore[untyped-decorator] # TensorFlow publishes no types
    def draw(label: Any, seed: Any) -> Any:
        noise = tf.map_fn(lambda one: tf.random.stateless_normal([NOISE], one), seed, fn_output_signature=tf.float32)
        return {"images": _drawn(generator([noise, tf.one_hot(label, 10)], training=False))}

    archive = keras.export.ExportArchive()
    archive.track(generator)
    archive.add_endpoint("serve", draw)
    archive.write_out(str(out), verbose=False)
    report(Progress("evaluating", epochs, epochs))
    asked = np.repeat(np.arange(10, dtype=np.int32), EACH)
    seeds = np.stack([np.arange(len(asked)), np.zeros(len(asked))], 1).astype(np.int64)
    served = tf.saved_model.load(str(out))
    pictures = served.signatures["serving_default"](label=tf.constant(asked), seed=tf.constant(seeds))["images"].numpy()
    judged = _judge(table)
    metrics = judged(pictures, asked)
    random = np.random.default_rng(seed)
    grey = _drawn(
        tf.constant(
            random.permuted(table.train.x[: len(asked)].reshape(len(asked), -1), axis=1).reshape(-1, SCAN, SCAN, 1)
        )
    )
    return Outcome(
        ModelSpec(
            (Tensor("label", "int32", (None,)), Tensor("seed", "int64", (None, 2))),
            (Tensor("images", "float32", (None, SIDE, SIDE, 1)),),
            tuple(f"a handwritten {word}" for word in WORDS),
            examples=tuple(
                {"prompt": f"a handwritten {word}", "n": 4, "seed": 1} for word in ("seven", "three", "zero", "five")
            ),
        ),
        metrics,
        judged(grey.numpy(), asked),
        {
            "rows": [len(part.y) for part in (table.train, table.validation, table.test)],
            "parameters": int(generator.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def _generator() -> Any:
    """Noise and which digit → a scan (n, SCAN, SCAN, 1) from 0 to 1."""
    import keras

    noise, kind = keras.Input((NOISE,)), keras.Input((10,))
    seen = keras.layers.Concatenate()([noise, kind])
    for units in (128, 256):
        seen = keras.layers.LeakyReLU(0.2)(keras.layers.Dense(units)(seen))
    scan = keras.layers.Dense(SCAN**2, "sigmoid")(seen)
    return keras.Model([noise, kind], keras.layers.Reshape((SCAN, SCAN, 1))(scan))


def _discriminator() -> Any:
    """A scan and which digit it should be → how real it looks, a logit."""
    import keras

    scan, kind = keras.Input((SCAN, SCAN, 1)), keras.Input((10,))
    seen = keras.layers.Flatten()(scan)
    for units in (256, 128):
        seen = keras.layers.LeakyReLU(0.2)(keras.layers.Dense(units)(seen))
    matches = keras.layers.Dot(1)([seen, keras.layers.Dense(128, use_bias=False)(kind)])
    return keras.Model([scan, kind], keras.layers.Add()([keras.layers.Dense(1)(seen), matches]))


def _fit(generator: Any, discriminator: Any, table: Table, chosen: Mapping[str, Any], report: Report) -> None:
    """Turns of both, a batch each; leaves the running mean of its weights in the generator."""
    import keras
    import tensorflow as tf

    optimizers = [keras.optimizers.Adam(chosen["learning_rate"], beta_1=0.0, beta_2=0.99) for _ in range(2)]
    for optimizer, model in zip(optimizers, (generator, discriminator), strict=True):
        optimizer.build(model.trainable_variables)
    means = [tf.Variable(weight) for weight in generator.trainable_variables]

    def invented(kind: Any) -> Any:
        return generator([tf.random.normal([tf.shape(kind)[0], NOISE]), kind], training=True)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator] # TensorFlow publishes no types
    def step(real: Any, label: Any) -> None:
        kind = tf.one_hot(label, 10)
        with tf.GradientTape() as tape:
            with tf.GradientTape() as slope:
                slope.watch(real)
                sure = discriminator([real, kind])
            gradient = slope.gradient(sure, real)
            doubt = discriminator([tf.stop_gradient(invented(kind)), kind])
            penalty = tf.reduce_mean(tf.reduce_sum(gradient**2, [1, 2, 3]))
            loss = tf.reduce_mean(tf.nn.softplus(-sure) + tf.nn.softplus(doubt)) + PENALTY / 2 * penalty
        optimizers[1].apply(tape.gradient(loss, discriminator.trainable_variables), discriminator.trainable_variables)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.softplus(-discriminator([invented(kind), kind])))
        optimizers[0].apply(tape.gradient(loss, generator.trainable_variables), generator.trainable_variables)
        for mean, weight in zip(means, generator.trainable_variables, strict=True):
            mean.assign(KEPT * mean + (1 - KEPT) * weight)

    rows = tf.data.Dataset.from_tensor_slices((table.train.x, table.train.y.astype(np.int32)))
    rows = rows.shuffle(len(table.train.y), seed=chosen["seed"]).batch(BATCH, drop_remainder=True)
    epochs, started = chosen["epochs"], time.monotonic()
    each = max(epochs // SHOWN, 1)
    for epoch in range(1, epochs + 1):
        for real, label in rows:
            step(real, label)
        if epoch % each == 0 or epoch == epochs:
            kinds = tf.one_hot(table.validation.y, 10)
            far = _energy(invented(kinds).numpy(), table.validation.x)
            eta = (time.monotonic() - started) / epoch * (epochs - epoch)
            report(Progress("training", epoch, epochs, far, "energy_distance", far, eta, True))
    for mean, weight in zip(means, generator.trainable_variables, strict=True):
        weight.assign(mean)


def _energy(found: Floats, real: Floats) -> float:
    """How far two samples are apart (Székely & Rizzo 2013): 2 E‖x−y‖ − E‖x−x′‖ − E‖y−y′‖, 0 for the same distribution."""
    from sklearn.metrics import pairwise_distances as apart

    x, y = found.reshape(len(found), -1), real.reshape(len(real), -1)
    return float(2 * apart(x, y).mean() - apart(x, x).mean() - apart(y, y).mean())


def _drawn(scans: Any) -> Any:
    """Scans as pictures (n, SIDE, SIDE, 1): enlarged, with the edge of a pen, dark on light."""
    import tensorflow as tf

    padded = tf.pad(scans, [[0, 0], [1, 1], [1, 1], [0, 0]])
    large = tf.image.resize(padded, (SIDE, SIDE), "bicubic")
    return tf.sigmoid((0.45 - large) * 14.0)


def _judge(table: Table) -> Callable[[Floats, NDArray[np.int32]], dict[str, float]]:
    """Judges pictures by a classifier (a support vector machine) of the scans that the generator has not seen.

    `accuracy`: the share that it reads as was asked. `diversity`: the mean distance between two pictures of one digit, over
    that between two scans of the test; 0 for a generator that knows one picture a digit, 1 for one as manifold as people.
    """
    import tensorflow as tf
    from sklearn.metrics import pairwise_distances
    from sklearn.svm import SVC

    def coarse(pictures: Floats) -> Floats:
        cells = pictures.reshape(len(pictures), SIDE // 8, 8, SIDE // 8, 8)
        found: Floats = cells.mean((2, 4)).reshape(len(pictures), -1)
        return found

    def real(part: Part) -> Floats:
        return coarse(_drawn(tf.constant(part.x)).numpy())

    def spread(rows: Floats, kinds: NDArray[Any]) -> float:
        each = [pairwise_distances(rows[kinds == kind]) for kind in range(10)]
        return float(np.mean([one.sum() / (len(one) * (len(one) - 1)) for one in each]))

    unseen = np.concatenate([real(table.validation), real(table.test)])
    reader = SVC(C=10.0).fit(unseen, np.concatenate([table.validation.y, table.test.y]))
    manifold = spread(real(table.test), table.test.y)

    def judge(pictures: Floats, asked: NDArray[np.int32]) -> dict[str, float]:
        rows = coarse(pictures)
        return {
            "accuracy": float((reader.predict(rows) == asked).mean()),
            "diversity": spread(rows, asked) / manifold,
        }

    return judge
