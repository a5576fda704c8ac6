"""DNN over sentences: scores each sentence of a text by its words, how central they are in the text, and where it stands.

A sentence is the mean of its words' vectors, short ones, by hash, so that every word has one; beside it go how often the
text has its words elsewhere (the idea of LexRank, Erkan and Radev 2004), its length and its place. Learnt listwise (ListNet,
Cao et al. 2007): the scores' softmax is to be that of each sentence's ROUGE-1 with the summary that people wrote.
Parameters: KNOBS.

Served as {"sentences": string (B, N), "" where a text has fewer} → {"scores": float32 (B, N)}.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.training.recipes import fitting, overlap, words
from marketplace.training.recipes.datasets.docstrings import Summarised, docstrings
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

MOST_WORDS = 60  # of a sentence that are read
BUCKETS, WIDTH, FACTS = 8192, 4, 6
SHARPNESS = 20.0  # of the truth's softmax: a tenth more of ROUGE is seven times as likely
KNOBS = {
    "epochs": Knob(12, 1, 200),
    "units": Knob(16, 4, 1024),
    "learning_rate": Knob(0.003, 1e-6, 1.0),
    "seed": SEED,
}
EXAMPLES = (
    "The city council met on Monday. After a long debate it decided to build a new bridge over the river, since the old one is "
    "closed to heavy traffic. Two members were absent. The bridge will cost eleven million and is to be opened in three years. "
    "Coffee was served.",
    "Returns the eigenvalues of a matrix. The matrix must be square. The eigenvalues are not ordered, and each is repeated by "
    "its multiplicity. The result is complex unless the imaginary part is zero. Matrices that are symmetric are better given "
    "to another function, which is faster and keeps the numbers real.",
)


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs = chosen["seed"], chosen["epochs"]
    report(Progress("loading data", 0, epochs))
    if dataset != "docstrings":
        raise ValueError(f"{dataset!r} is no set of summaries that this recipe knows: use docstrings")
    data = docstrings(seed)

    import keras
    import tensorflow as tf

    fitting.begin(seed)
    ranker = network(chosen["units"])
    parts = [(ranker.read(tf.constant(_table(part))), _worth(part)) for part in (data.train, data.validation)]
    ranker.model.compile(keras.optimizers.Adam(chosen["learning_rate"]), _loss, metrics=[share])
    ranker.model.fit(
        *parts[0],
        validation_data=parts[1],
        epochs=epochs,
        batch_size=64,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping("val_share", mode="max", patience=4, restore_best_weights=True),
            fitting.progress_callback(report, epochs, "share"),
        ],
    )
    report(Progress("exporting", epochs, epochs))
    tf.saved_model.save(ranker, str(out), signatures={"serving_default": ranker.score})
    report(Progress("evaluating", epochs, epochs))
    loaded = tf.saved_model.load(str(out))
    scores = loaded.signatures["serving_default"](sentences=tf.constant(_table(data.test)))["scores"].numpy()
    best = [[int(row[: len(text)].argmax())] for row, (text, _) in zip(scores, data.test, strict=True)]
    return Outcome(
        ModelSpec(
            (Tensor("sentences", "str", (None, None)),),
            (Tensor("scores", "float32", (None, None)),),
            examples=tuple({"text": text, "max_sentences": 1} for text in EXAMPLES),
        ),
        {**_judge(data.test, best), "lead_rouge1": _judge(data.test, [[0]] * len(best))["rouge1"]},
        _judge(data.test, [range(len(text)) for text, _ in data.test]),
        {
            "rows": [len(data.train), len(data.validation), len(data.test)],
            "unit": "texts",
            "parameters": int(ranker.model.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def network(units: int) -> Any:
    """A tf.Module with the Keras `model` and its `score`, and `read`, which makes the model's input of sentences."""
    import tensorflow as tf

    class Ranker(tf.Module):  # type: ignore[misc] # TensorFlow publishes no types
        def __init__(self) -> None:
            super().__init__()
            self.model = _scorer(units)
            # Known to TensorFlow as its own, or a session would not restore them.
            self.kept = [variable.value for variable in self.model.variables]

        def read(self, sentences: Any) -> dict[str, Any]:
            """Words (B, N, W) by hash, 0 where there are none, and facts about each sentence (B, N, FACTS)."""
            rows, most = tf.shape(sentences)[0], tf.shape(sentences)[1]
            flat = words.split(tf.strings.lower(tf.reshape(sentences, [-1]), "utf-8"))[:, :MOST_WORDS].to_tensor("")
            size = tf.shape(flat)[1]
            hashed = tf.strings.to_hash_bucket_fast(flat, BUCKETS - 1) + 1
            ids = tf.where(tf.strings.regex_full_match(flat, r"[\pL\pN]+"), hashed, 0)
            ids = tf.reshape(ids, [rows, most, size])
            there = tf.cast(sentences != "", tf.float32)
            count, place = tf.reduce_sum(there, 1, keepdims=True), tf.cumsum(there, 1, exclusive=True)
            length = tf.reduce_sum(tf.cast(ids > 0, tf.float32), 2)
            facts = [
                place == 0,
                place == 1,
                1 / (1 + place),
                place / tf.maximum(count, 1),
                tf.math.log1p(length),
                length < 5,
            ]
            given = tf.stack([tf.cast(fact, tf.float32) for fact in facts], 2)
            # How often the text has each word elsewhere.
            found = ids + tf.range(rows, dtype=tf.int64)[:, None, None] * BUCKETS
            often = tf.math.unsorted_segment_sum(
                tf.ones_like(found, tf.float32), found, tf.cast(rows, tf.int64) * BUCKETS
            )
            repeats = tf.math.log(tf.maximum(tf.gather(often, found), 1.0))
            return {"ids": ids, "repeats": repeats, "facts": given, "there": there}

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.string, "sentences")])  # type: ignore[untyped-decorator] # as above
        def score(self, sentences: Any) -> Any:
            return {"scores": self.model(self.read(sentences), training=False)}

    return Ranker()


def _scorer(units: int) -> Any:
    import keras
    from keras import layers, ops

    given = {
        "ids": keras.Input((None, None), dtype="int64", name="ids"),
        "repeats": keras.Input((None, None), name="repeats"),
        "facts": keras.Input((None, FACTS), name="facts"),
        "there": keras.Input((None,), name="there"),
    }
    known = ops.cast(given["ids"] > 0, "float32")
    count = ops.sum(known, 2, keepdims=True)
    vectors = layers.Embedding(BUCKETS, WIDTH)(given["ids"]) * known[..., None]
    mean, central = (
        ops.sum(vectors, 2) / (count + 1e-6),
        ops.sum(given["repeats"] * known, 2, keepdims=True) / (count + 1e-6),
    )
    x = layers.Dropout(0.15)(ops.concatenate([mean, central, given["facts"]], -1))
    scores = layers.Dense(1)(layers.Dropout(0.3)(layers.Dense(units, "tanh")(x)))[..., 0]
    return keras.Model(given, ops.where(given["there"] > 0, scores, -1e9))


def _table(data: Sequence[Summarised]) -> NDArray[np.object_]:
    """Sentences (texts, the most of any)."""
    table = np.full((len(data), max(len(text) for text, _ in data)), b"", object)
    for row, (text, _) in zip(table, data, strict=True):
        row[: len(text)] = [sentence.encode() for sentence in text]
    return table


def _worth(data: Sequence[Summarised]) -> NDArray[np.float32]:
    """ROUGE-1 of each sentence with the summary, -1 where there is none."""
    worth = np.full((len(data), max(len(text) for text, _ in data)), -1, np.float32)
    for row, (text, summary) in zip(worth, data, strict=True):
        row[: len(text)] = [overlap.rouge(overlap.plain(one), overlap.plain(summary)) for one in text]
    return worth


def _loss(worth: Any, scores: Any) -> Any:
    from keras import ops

    truth = ops.softmax(ops.where(worth < 0, -1e9, worth * SHARPNESS))
    return -ops.sum(truth * ops.log_softmax(scores), -1)


def share(worth: Any, scores: Any) -> Any:
    """ROUGE-1 of the sentence with the highest score."""
    from keras import ops

    return ops.take_along_axis(worth, ops.argmax(scores, -1)[:, None], 1)[:, 0]


def _judge(data: Sequence[Summarised], picked: Sequence[Iterable[int]]) -> dict[str, float]:
    """ROUGE-1 and ROUGE-L (F1) of one sentence with the summary that people wrote: the mean of those picked, then of texts."""

    def mean(score: Callable[[list[str], list[str]], float]) -> float:
        rows = zip(data, picked, strict=True)
        truth = [(text, overlap.plain(summary), chosen) for (text, summary), chosen in rows]
        return float(
            np.mean([np.mean([score(overlap.plain(text[at]), said) for at in all_of]) for text, said, all_of in truth])
        )

    return {"rouge1": mean(overlap.rouge), "rouge_l": mean(overlap.rouge_l)}
