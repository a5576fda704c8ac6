"""RNN: a GRU that continues text character by character.

Served by three signatures, so that text can be streamed and the steps of several streams share batches:
`prefill` {"text": string (B,)} → {"logits": (B, V), "state": (B, units)} · `step` {"token": int32 (B,), "state"} → the same
· `vocabulary` {} → {"tokens": string (V,)}. Parameters: KNOBS.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.training.recipes import characters, fitting
from marketplace.training.recipes.characters import UNKNOWN
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

STREAMS = 48  # the training text is read in so many places side by side
LENGTH = 20  # characters that gradients flow back through; the state flows on
EMBEDDING = 48
KNOBS = {
    "epochs": Knob(4, 1, 100),
    "units": Knob(160, 8, 2048),
    "learning_rate": Knob(0.012, 1e-6, 1.0),
    "seed": SEED,
}


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs, units = chosen["seed"], chosen["epochs"], chosen["units"]
    report(Progress("loading data", 0, epochs))
    tokens, (train_ids, validation_ids, test_ids) = characters.load(dataset, seed)

    import tensorflow as tf

    fitting.begin(seed)
    network = gru(tokens, units, seed)
    _fit(network, train_ids, validation_ids, epochs, chosen["learning_rate"], report)
    report(Progress("exporting", epochs, epochs))
    signatures = {name: getattr(network, name) for name in ("prefill", "step", "vocabulary")}
    tf.saved_model.save(network, str(out), signatures=signatures)
    report(Progress("evaluating", epochs, epochs))
    metrics = characters.judge(
        tf.saved_model.load(str(out)).signatures["step"], characters.side_by_side(test_ids, 64), units
    )
    return Outcome(
        characters.spec(tokens),
        metrics,
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
    network: Any, train: NDArray[np.int32], check: NDArray[np.int32], epochs: int, rate: float, report: Report
) -> None:
    """Truncated back-propagation through time, with Adam and a cosine schedule."""
    import keras
    import tensorflow as tf

    rows, check_rows = characters.side_by_side(train, STREAMS), characters.side_by_side(check, STREAMS)
    windows = range(0, rows.shape[1] - LENGTH, LENGTH)
    variables = list(network.trainable_variables)
    schedule = keras.optimizers.schedules.CosineDecay(rate, epochs * len(windows))
    optimizer = keras.optimizers.Adam(schedule, clipnorm=1.0)
    optimizer.build(variables)

    @tf.function(
        input_signature=[
            tf.TensorSpec([STREAMS, LENGTH + 1], tf.int32),
            tf.TensorSpec([STREAMS, network.units], tf.float32),
        ]
    )  # type: ignore[untyped-decorator] # TensorFlow publishes no types
    def learn(window: Any, state: Any) -> Any:
        with tf.GradientTape() as tape:
            logits, state = network.read(window[:, :-1], state)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.transpose(window[:, 1:]), logits)
            loss = tf.reduce_mean(losses)
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss, state

    started = reported = time.monotonic()
    for epoch in range(1, epochs + 1):
        state, losses = tf.zeros([STREAMS, network.units]), []
        for done, at in enumerate(windows, 1):
            loss, state = learn(tf.constant(rows[:, at : at + LENGTH + 1]), state)
            losses.append(float(loss))
            if (now := time.monotonic()) - reported >= fitting.REPORT_EVERY_S:
                reported, share = now, epoch - 1 + done / len(windows)
                eta = (now - started) / share * (epochs - share)
                report(Progress("training", epoch, epochs, float(np.mean(losses[-50:])), eta_s=eta))
        bits = characters.judge(network.step, check_rows, network.units)["bits_per_character"]
        eta = (time.monotonic() - started) / epoch * (epochs - epoch)
        report(Progress("training", epoch, epochs, float(np.mean(losses)), "bits_per_character", bits, eta, True))


def gru(tokens: list[str], units: int, seed: int) -> Any:
    """The network, a tf.Module: Cho et al. 2014, with the reset gate after the recurrent product.

    update, reset = σ(x·K + h·R), fresh = tanh(x·K + reset ⊙ h·R), h' = fresh + update ⊙ (h − fresh).
    """
    import tensorflow as tf

    class Gru(tf.Module):  # type: ignore[misc] # TensorFlow publishes no types
        def __init__(self) -> None:
            super().__init__()
            self.units = units
            random = tf.random.Generator.from_seed(seed)
            self.embed = tf.Variable(random.normal([len(tokens), EMBEDDING]) * 0.1)
            self.kernel = tf.Variable(random.normal([EMBEDDING, 3 * units]) / EMBEDDING**0.5)
            self.bias = tf.Variable(tf.zeros([3 * units]))
            square = [tf.linalg.qr(random.normal([units, units]))[0] for _ in range(3)]
            self.recurrent = tf.Variable(tf.concat(square, 1))
            self.recurrent_bias = tf.Variable(tf.zeros([3 * units]))
            self.head = tf.Variable(random.normal([units, len(tokens)]) / units**0.5)
            self.head_bias = tf.Variable(tf.zeros([len(tokens)]))
            self.tokens = tf.constant(tokens)
            pairs = tf.lookup.KeyValueTensorInitializer(tokens, list(range(len(tokens))), value_dtype=tf.int32)
            self.table = tf.lookup.StaticHashTable(pairs, UNKNOWN)

        def cell(self, given: Any, state: Any) -> Any:
            kept = state @ self.recurrent + self.recurrent_bias
            gates = tf.sigmoid(given[:, : 2 * units] + kept[:, : 2 * units])
            fresh = tf.tanh(given[:, 2 * units :] + gates[:, units:] * kept[:, 2 * units :])
            return fresh + gates[:, :units] * (state - fresh)

        def read(self, ids: Any, state: Any) -> Any:
            """Logits (time, rows, V) and the last state; the products that need no state are done at once."""
            given = tf.reshape(tf.gather(self.embed, tf.transpose(ids)), [-1, EMBEDDING]) @ self.kernel + self.bias
            states = []
            for at in tf.unstack(tf.reshape(given, [ids.shape[1], -1, 3 * units])):
                state = self.cell(at, state)
                states.append(state)
            logits = tf.concat(states, 0) @ self.head + self.head_bias
            return tf.reshape(logits, [ids.shape[1], -1, len(tokens)]), state

        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.int32, "token"),
                tf.TensorSpec([None, units], tf.float32, "state"),
            ]
        )  # type: ignore[untyped-decorator] # TensorFlow publishes no types
        def step(self, token: Any, state: Any) -> Any:
            state = self.cell(tf.gather(self.embed, token) @ self.kernel + self.bias, state)
            return {"logits": state @ self.head + self.head_bias, "state": state}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])  # type: ignore[untyped-decorator] # as above
        def prefill(self, text: Any) -> Any:
            """Passes over characters that it has not learnt; so, too, over the empty ends of shorter rows."""
            characters = tf.strings.unicode_split(text, "UTF-8")
            ids = self.table.lookup(characters.to_tensor(""))
            state = tf.zeros([tf.shape(text)[0], units])
            for at in tf.range(tf.shape(ids)[1]):
                given = tf.gather(self.embed, ids[:, at]) @ self.kernel + self.bias
                state = tf.where(ids[:, at, None] == UNKNOWN, state, self.cell(given, state))
            return {"logits": state @ self.head + self.head_bias, "state": state}

        @tf.function(input_signature=[])  # type: ignore[untyped-decorator] # as above
        def vocabulary(self) -> Any:
            return {"tokens": self.tokens}

    return Gru()
