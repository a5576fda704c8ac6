"""RNN: an LSTM that reads a text's words in both directions, and says which class it is of.

A word's vector is the mean of its pieces' (subwords.py), so that words which were never seen are read by what they share
with those that were. Parameters: KNOBS; `words` are read of a text at most.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.training.recipes import fitting, subwords
from marketplace.training.recipes.datasets.catalogs import languages
from marketplace.training.recipes.datasets.opinions import opinions
from marketplace.training.recipes.datasets.splits import Part
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

KNOBS = {
    "epochs": Knob(4, 1, 100),
    "units": Knob(32, 2, 1024),
    "width": Knob(32, 2, 1024),  # of a word's vector
    "words": Knob(16, 2, 512),
    "buckets": Knob(8192, 64, 2**22),
    "dropout": Knob(0.3, 0.0, 0.9),
    "learning_rate": Knob(0.008, 1e-6, 1.0),
    "seed": SEED,
}
TEXTS = {"languages": languages, "opinions": opinions}
BATCH = 96
LINE = 70  # letters of an example
MARKS = set("“”\"‘’'/()[]{}<>:;«»")  # what is left around a placeholder


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs = chosen["seed"], chosen["epochs"]
    report(Progress("loading data", 0, epochs))
    if dataset not in TEXTS:
        raise ValueError(f"{dataset!r} is not a set of texts that this recipe knows: use {' or '.join(TEXTS)}")
    table = TEXTS[dataset](seed)

    import keras

    fitting.begin(seed)
    model = _network(len(table.labels), chosen)
    read, random = _reader(chosen), np.random.default_rng(seed)
    model.fit(
        _batches(table.train, read, random),
        validation_data=_batches(table.validation, read, random),
        epochs=epochs,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True),
            fitting.progress_callback(report, epochs, "accuracy"),
        ],
    )
    report(Progress("exporting", epochs, epochs))
    serve = subwords.export(lambda text: {"probabilities": model(read(text), training=False)}, model, out)
    report(Progress("evaluating", epochs, epochs))
    answers = np.concatenate(
        [serve(table.test.x[at : at + 512])["probabilities"] for at in range(0, len(table.test.x), 512)]
    )
    commonest = np.full_like(table.test.y, np.bincount(table.train.y).argmax())
    return Outcome(
        ModelSpec(
            (Tensor("text", "str", (None,)),),
            fitting.probabilities_of(table.labels),
            table.labels,
            examples=tuple({"text": text} for text in _examples(table.test)),
        ),
        {**fitting.judge(answers, table.test.y), "macro_f1": fitting.macro_f1(answers.argmax(1), table.test.y)},
        {**fitting.majority(table.train.y, table.test.y), "macro_f1": fitting.macro_f1(commonest, table.test.y)},
        {
            "rows": [len(part.y) for part in (table.train, table.validation, table.test)],
            "unit": "texts",
            "parameters": int(model.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def _reader(chosen: Mapping[str, Any]) -> Any:
    """Texts → what the network reads."""
    words, buckets = chosen["words"], chosen["buckets"]
    return lambda text: subwords.pieces(subwords.split(text, words), buckets)


def _batches(part: Part, read: Any, random: np.random.Generator) -> Any:
    """The rows for Keras, those of like length together: the network takes as many steps as a batch's longest text has."""
    import tensorflow as tf

    pieces = read(part.x).numpy()
    lengths = (pieces[..., 0] > 0).sum(1)
    order = np.argsort(lengths, kind="stable")
    starts = np.arange(0, len(order), BATCH)

    def batches() -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64]]]:
        for at in random.permutation(starts):
            rows = order[at : at + BATCH]
            yield pieces[rows, : lengths[rows[-1]] + 1], part.y[rows]

    shapes = tf.TensorSpec([None, None, subwords.PIECES], tf.int32), tf.TensorSpec([None], tf.int64)
    rows = tf.data.Dataset.from_generator(batches, output_signature=shapes)
    return rows.apply(tf.data.experimental.assert_cardinality(len(starts)))


def _network(classes: int, chosen: Mapping[str, Any]) -> Any:
    """The network, ready to be fitted."""
    import keras

    layers, units, drop = keras.layers, chosen["units"], chosen["dropout"]
    pieces = keras.Input((None, subwords.PIECES), dtype="int32")
    known = keras.ops.any(pieces > 0, -1)
    vectors = layers.Dropout(drop)(subwords.mean(chosen["buckets"], chosen["width"])(pieces))
    states = layers.Bidirectional(layers.LSTM(units, return_sequences=True))(vectors, mask=known)
    seen = keras.ops.max(states, 1)
    model = keras.Model(pieces, layers.Dense(classes, "softmax")(layers.Dropout(drop)(seen)))
    model.compile(
        keras.optimizers.Adam(chosen["learning_rate"]), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def _examples(test: Part) -> list[str]:
    """Of some classes the longest plain text of the test split that fits a line."""
    by_class: dict[int, str] = {}
    for text, label in sorted(zip(test.x, test.y, strict=True), key=lambda row: len(row[0])):
        if len(text) <= LINE and not MARKS & set(text):
            by_class[int(label)] = text
    return [by_class[label] for label in sorted(by_class)][:6]
