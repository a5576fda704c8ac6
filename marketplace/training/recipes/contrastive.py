"""Sentence encoder: texts that mean alike get vectors that point alike, learnt from pairs by contrast.

Each pair's texts are told from those of all other pairs of the batch (InfoNCE: van den Oord et al. 2018,
"Representation learning with contrastive predictive coding"), in both directions: loss = mean over i of
−log(exp(aᵢ·bᵢ/τ) / Σⱼ exp(aᵢ·bⱼ/τ)), and the same with a and b exchanged. A text's vector is the weighted mean of its
words' (subwords.py), each word weighing what it has learnt to, through two dense layers beside it, at unit length.

Served as {"text": string (B,)} → {"vector": (B, width), "tokens": int32 (B,)}, the words that were read. Parameters: KNOBS.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.training.recipes import fitting, subwords
from marketplace.training.recipes.datasets.catalogs import translations
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

KNOBS = {
    "epochs": Knob(8, 1, 1000),
    "width": Knob(96, 2, 4096),
    "words": Knob(16, 2, 512),
    "buckets": Knob(16384, 64, 2**22),
    "temperature": Knob(0.05, 0.001, 1.0),
    "learning_rate": Knob(0.01, 1e-6, 1.0),
    "seed": SEED,
}
BATCH, STEPS = 256, 20  # pairs of a step, steps of an epoch
Group = tuple[str, ...]


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs = chosen["seed"], chosen["epochs"]
    report(Progress("loading data", 0, epochs))
    if dataset != "translations":
        raise ValueError(f"{dataset!r} is not a set of pairs that this recipe knows: use translations")
    alike = translations(seed)

    fitting.begin(seed)
    model = _encoder(chosen["buckets"], chosen["width"])

    def serve(text: Any) -> dict[str, Any]:
        import tensorflow as tf

        words = subwords.split(text, chosen["words"])
        read = tf.cast(words.row_lengths(), tf.int32)
        return {"vector": model(subwords.pieces(words, chosen["buckets"]), training=False), "tokens": read}

    _fit(model, alike.train, alike.validation, chosen, serve, report)
    report(Progress("exporting", epochs, epochs))
    served = subwords.export(serve, model, out)
    report(Progress("evaluating", epochs, epochs))
    return Outcome(
        ModelSpec(
            (Tensor("text", "str", (None,)),),
            (Tensor("vector", "float32", (None, chosen["width"])), Tensor("tokens", "int32", (None,))),
        ),
        _found(_likeness(served, alike.test), alike.test),
        _found(_shared_words(alike.test, chosen["words"]), alike.test),
        {
            "rows": [sum(map(len, part)) for part in (alike.train, alike.validation, alike.test)],
            "unit": "texts",
            "parameters": int(model.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def _encoder(buckets: int, width: int) -> Any:
    """Pieces (rows, words, PIECES) → vectors (rows, width) of unit length."""
    import keras

    layers, ops = keras.layers, keras.ops
    pieces = keras.Input((None, subwords.PIECES), dtype="int32")
    words = subwords.mean(buckets, width)(pieces)
    weight = layers.Dense(1, "softplus")(words) * ops.cast(pieces[..., :1] > 0, "float32")
    mean = ops.sum(words * weight, 1) / (ops.sum(weight, 1) + 1e-6)
    seen = mean + layers.Dense(width)(layers.Dense(width, "relu")(mean))
    return keras.Model(pieces, ops.normalize(seen, axis=-1))


def _fit(
    model: Any, train: Sequence[Group], check: Sequence[Group], chosen: Mapping[str, Any], serve: Any, report: Report
) -> None:
    """Adam on batches of pairs by chance: a group's first text, or any other of it, and another one."""
    import keras
    import tensorflow as tf

    texts = [text for group in train for text in group]
    sizes = np.asarray([len(group) for group in train])
    starts = np.cumsum(sizes) - sizes
    pieces = subwords.pieces(subwords.split(tf.constant(texts), chosen["words"]), chosen["buckets"]).numpy()
    lengths = (pieces[..., 0] > 0).sum(1)
    variables, optimizer = model.trainable_variables, keras.optimizers.Adam(chosen["learning_rate"])
    optimizer.build(variables)

    @tf.function(input_signature=[tf.TensorSpec([None, None, subwords.PIECES], tf.int32)])  # type: ignore[untyped-decorator] # TensorFlow publishes no types
    def learn(rows: Any) -> Any:
        with tf.GradientTape() as tape:
            left, right = tf.split(model(rows, training=True), 2)
            scores = left @ tf.transpose(right) / chosen["temperature"]
            own = tf.range(tf.shape(scores)[0])
            there, back = (
                tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(own, way))
                for way in (scores, tf.transpose(scores))
            )
            loss = (there + back) / 2
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    random, epochs, began = np.random.default_rng(chosen["seed"]), chosen["epochs"], time.monotonic()
    for epoch in range(1, epochs + 1):
        losses: list[float] = []
        for _ in range(STEPS):
            groups = random.choice(len(train), min(BATCH, len(train)), replace=False)
            one = random.integers(sizes[groups]) * random.integers(2, size=len(groups))
            other = (one + 1 + random.integers(sizes[groups] - 1)) % sizes[groups]
            rows = np.concatenate([starts[groups] + one, starts[groups] + other])
            losses.append(float(learn(tf.constant(pieces[rows, : lengths[rows].max() + 1]))))
        recall = _found(_likeness(lambda given: serve(tf.constant(given)), check), check)["recall_at_1"]
        eta = (time.monotonic() - began) / epoch * (epochs - epoch)
        report(Progress("training", epoch, epochs, float(np.mean(losses)), "recall_at_1", recall, eta, True))


def _questions(groups: Sequence[Group]) -> tuple[list[str], NDArray[np.int64]]:
    """Every translation, and the number of its group."""
    return [text for group in groups for text in group[1:]], np.repeat(
        np.arange(len(groups)), [len(group) - 1 for group in groups]
    )


def _likeness(serve: Any, groups: Sequence[Group]) -> NDArray[np.float32]:
    """The cosine of every translation (rows) with every English text."""
    questions, _ = _questions(groups)
    vectors = serve([group[0] for group in groups] + questions)["vector"].numpy()
    found: NDArray[np.float32] = vectors[len(groups) :] @ vectors[: len(groups)].T
    return found


def _shared_words(groups: Sequence[Group], most: int) -> NDArray[np.float32]:
    """The trivial baseline: the share of words that two texts have in common (Jaccard's index)."""
    questions, _ = _questions(groups)
    texts = [group[0] for group in groups] + questions
    words = [set(row) for row in subwords.split(texts, most).to_list()]
    rows = [
        [len(one & other) / max(len(one | other), 1) for other in words[: len(groups)]] for one in words[len(groups) :]
    ]
    return np.asarray(rows, np.float32)


def _found(scores: NDArray[np.float32], groups: Sequence[Group]) -> dict[str, float]:
    """How far up each translation's own English text is among all of them; of equal scores it is in the middle."""
    _, own = _questions(groups)
    mine = scores[np.arange(len(own)), own][:, None]
    rank = 1 + (scores > mine).sum(1) + ((scores == mine).sum(1) - 1) / 2
    return {
        "recall_at_1": float((rank < 2).mean()),
        "recall_at_5": float((rank < 6).mean()),
        "mrr": float((1 / rank).mean()),
    }
