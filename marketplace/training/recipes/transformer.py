"""Transformer: a decoder that continues text character by character (see decoder).

Served by the same signatures as the recipe recurrent, so that texts stream and their steps share batches. Parameters: KNOBS.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.training.recipes import characters, fitting
from marketplace.training.recipes.decoder import HEADS, decoder, state_size
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

BATCH, LENGTH = 12, 128  # texts that are read at once, and characters of each
KNOBS = {
    "epochs": Knob(4, 1, 100),
    "width": Knob(96, 8, 1024),
    "learning_rate": Knob(0.004, 1e-6, 1.0),
    "seed": SEED,
}


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe. Raises ValueError for a width that the heads do not share evenly."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs, width = chosen["seed"], chosen["epochs"], chosen["width"]
    if width % HEADS:
        raise ValueError(f"width must be a multiple of {HEADS}")
    report(Progress("loading data", 0, epochs))
    tokens, (train_ids, validation_ids, test_ids) = characters.load(dataset, seed)

    import tensorflow as tf

    fitting.begin(seed)
    network = decoder(tokens, width, seed)
    _fit(network, train_ids, validation_ids, chosen, report)
    report(Progress("exporting", epochs, epochs))
    signatures = {name: getattr(network, name) for name in ("prefill", "step", "vocabulary")}
    tf.saved_model.save(network, str(out), signatures=signatures)
    report(Progress("evaluating", epochs, epochs))
    step = tf.saved_model.load(str(out)).signatures["step"]
    return Outcome(
        characters.spec(tokens),
        characters.judge(step, characters.side_by_side(test_ids, 64), state_size(width)),
        characters.bigrams(train_ids, test_ids, len(tokens)),
        {
            "rows": [len(train_ids), len(validation_ids), len(test_ids)],
            "unit": "characters",
            "parameters": sum(int(np.prod(v.shape)) for v in network.trainable_variables),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def _fit(
    network: Any, train: NDArray[np.int32], check: NDArray[np.int32], chosen: Mapping[str, Any], report: Report
) -> None:
    """Adam with a short warm-up and a cosine schedule, on stretches that begin anywhere."""
    import keras
    import tensorflow as tf

    random, epochs = np.random.default_rng(chosen["seed"]), chosen["epochs"]
    batches = len(train) // (BATCH * LENGTH)
    steps, rate = epochs * batches, chosen["learning_rate"]
    variables = list(network.trainable_variables)
    schedule = keras.optimizers.schedules.CosineDecay(rate / 50, steps, warmup_target=rate, warmup_steps=steps // 10)
    optimizer = keras.optimizers.Adam(schedule, clipnorm=1.0)
    optimizer.build(variables)

    def loss_of(window: Any) -> Any:
        logits, _ = network.read(window[:, :-1])
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(window[:, 1:], logits))

    @tf.function(input_signature=[tf.TensorSpec([None, LENGTH + 1], tf.int32)])  # type: ignore[untyped-decorator] # TensorFlow publishes no types
    def learn(window: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(window)
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    checked = characters.side_by_side(check, len(check) // LENGTH)[:, : LENGTH + 1]
    started = reported = time.monotonic()
    for epoch in range(1, epochs + 1):
        losses: list[float] = []
        for done in range(1, batches + 1):
            at = random.integers(len(train) - LENGTH - 1, size=(BATCH, 1))
            losses.append(float(learn(tf.constant(train[at + np.arange(LENGTH + 1)]))))
            if (now := time.monotonic()) - reported >= fitting.REPORT_EVERY_S:
                reported, share = now, epoch - 1 + done / batches
                eta = (now - started) / share * (epochs - share)
                report(Progress("training", epoch, epochs, float(np.mean(losses[-50:])), eta_s=eta))
        bits = float(loss_of(tf.constant(checked)) / math.log(2))
        eta = (time.monotonic() - started) / epoch * (epochs - epoch)
        report(Progress("training", epoch, epochs, float(np.mean(losses)), "bits_per_character", bits, eta, True))
