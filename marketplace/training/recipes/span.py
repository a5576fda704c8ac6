"""Transformer: an encoder over a question and a context that points to where the answer begins and ends.

Vaswani et al. 2017 with the norm before each block, a convolution in front for the words beside (as QANet, Yu et al. 2018), and
for each word of the context whether the question has it too (the exact-match feature of DrQA, Chen et al. 2017): so names
that no training text had are told apart. Parameters: KNOBS.

Served as {"question": string (B,), "context": string (B,)} → {"start", "end": int32 (B,) in characters of the context,
"score": float32 (B,)}: the most likely span of at most MOST_ANSWER words.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from marketplace.tasks import sentences
from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.training.recipes import fitting, overlap, words
from marketplace.training.recipes.datasets.facts import Asked, facts, names
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

PAD, UNKNOWN = range(2)
MOST_QUESTION, MOST_CONTEXT, MOST_ANSWER = 30, 400, 12  # words
FLAGS = 7
HEADS, BLOCKS = 4, 2
KNOBS = {
    "epochs": Knob(3, 1, 100),
    "width": Knob(48, 8, 1024),
    "learning_rate": Knob(0.003, 1e-6, 1.0),
    "seed": SEED,
}
EXAMPLES = (
    {
        "question": "Where does Greta live?",
        "context": "Greta Lund was born in Malmo in 1984. Today she lives in Trieste with a parrot. Aldo moved to Genoa in 2011.",
    },
    {
        "question": "Who founded Amber Tools?",
        "context": "Kiri works as a baker at Amber Tools. Amber Tools was founded by Dario Conti in 1999. Dario plays the harp.",
    },
    {
        "question": "What is the job of Ines?",
        "context": "Ines is a glass blower and has been with Nordlicht since 2003. Marek works as a nurse at Nordlicht.",
    },
)


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs = chosen["seed"], chosen["epochs"]
    report(Progress("loading data", 0, epochs))
    if dataset != "facts":
        raise ValueError(f"{dataset!r} is no set of questions that this recipe knows: use facts")
    data = facts(seed)
    hidden = names()
    known = sorted(
        {word for one in data.train for word in re.findall(r"\w+|[^\w\s]", f"{one.question} {one.context}".lower())}
    )
    vocabulary = [
        "",
        "\N{REPLACEMENT CHARACTER}",
        *(word for word in known if word not in hidden and not word.isdigit()),
    ]

    import keras
    import tensorflow as tf

    fitting.begin(seed)
    reader = pointer(vocabulary, chosen["width"])
    x, y = _rows(reader, data.train)
    steps = epochs * -(-len(data.train) // 32)
    reader.model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(
                1e-5, steps, warmup_target=chosen["learning_rate"], warmup_steps=steps // 10
            )
        ),
        _loss,
        metrics=[exact],
    )
    reader.model.fit(
        x, y, validation_data=_rows(reader, data.validation), epochs=epochs, batch_size=32, verbose=0,
        callbacks=[fitting.progress_callback(report, epochs, "exact")],
    )  # fmt: skip
    report(Progress("exporting", epochs, epochs))
    tf.saved_model.save(reader, str(out), signatures={"serving_default": reader.answer})
    report(Progress("evaluating", epochs, epochs))
    loaded = tf.saved_model.load(str(out))
    return Outcome(
        ModelSpec(
            (Tensor("question", "str", (None,)), Tensor("context", "str", (None,))),
            (Tensor("start", "int32", (None,)), Tensor("end", "int32", (None,)), Tensor("score", "float32", (None,))),
            examples=EXAMPLES,
        ),
        _judge(_answers(loaded.signatures["serving_default"], data.test), data.test),
        _judge([_guess(one) for one in data.test], data.test),
        {
            "rows": [len(data.train), len(data.validation), len(data.test)],
            "unit": "questions",
            "parameters": int(reader.model.count_params()),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def pointer(vocabulary: list[str], width: int) -> Any:
    """A tf.Module with the Keras `model` and its `answer`, and `read`, which makes the model's input of texts."""
    import tensorflow as tf

    class Pointer(tf.Module):  # type: ignore[misc] # TensorFlow publishes no types
        def __init__(self) -> None:
            super().__init__()
            self.model = _encoder(len(vocabulary), width)
            # Known to TensorFlow as its own, or a session would not restore them.
            self.kept = [variable.value for variable in self.model.variables]
            self.known = words.table(vocabulary, UNKNOWN)

        def read(self, question: Any, context: Any) -> tuple[dict[str, Any], Any, Any]:
            """Of the question and then the context: words and flags; and where the context's words begin and end."""
            asked, _, _ = words.places(question, MOST_QUESTION)
            told, starts, ends = words.places(context, MOST_CONTEXT)
            both = tf.concat([asked, told], 1)
            small = tf.strings.lower(both, "utf-8")
            ids = self.known.lookup(small)
            there = both != ""
            in_question = tf.range(tf.shape(both)[1])[None] < tf.shape(asked)[1]
            same = (
                (small[:, :, None] == small[:, None, : tf.shape(asked)[1]])
                & there[:, :, None]
                & ~in_question[..., None]
            )
            found = tf.reduce_any(same, 2)
            rare = tf.cast(found & (ids == UNKNOWN), tf.float32)
            # The sentence that a word stands in, and the one before, hold something that the question names.
            ended = tf.strings.regex_full_match(both, "[.!?]") & ~in_question
            rows, most = tf.shape(both)[0], tf.shape(both)[1] + 1
            number = tf.cumsum(tf.cast(ended, tf.int32), axis=1, exclusive=True) + 1 + tf.range(rows)[:, None] * most
            named = tf.maximum(tf.math.unsorted_segment_max(rare, number, rows * most), 0.0)
            flags = [
                tf.cast(found, tf.float32), rare, tf.gather(named, number), tf.gather(named, number - 1),
                tf.cast(in_question & there, tf.float32),
                tf.cast(tf.strings.regex_full_match(both, r"\pLu.*"), tf.float32),
                tf.cast(tf.strings.regex_full_match(both, r"\pN+"), tf.float32),
            ]  # fmt: skip
            given = {
                "ids": ids,
                "flags": tf.stack(flags, 2),
                "there": there,
                "context": there & ~in_question,
            }
            return given, starts, ends

        @tf.function(
            input_signature=[tf.TensorSpec([None], tf.string, "question"), tf.TensorSpec([None], tf.string, "context")]
        )  # type: ignore[untyped-decorator] # as above
        def answer(self, question: Any, context: Any) -> Any:
            given, starts, ends = self.read(question, context)
            chances = tf.nn.softmax(self.model(given, training=False), 1)[:, -tf.shape(starts)[1] :]
            longest = tf.minimum(tf.shape(starts)[1], MOST_ANSWER) - 1
            spans = tf.linalg.band_part(chances[:, :, None, 0] * chances[:, None, :, 1], 0, longest)
            best = tf.argmax(tf.reshape(spans, [tf.shape(spans)[0], -1]), 1, tf.int32)
            size = tf.shape(starts)[1]
            return {
                "start": tf.gather(starts, best // size, batch_dims=1),
                "end": tf.gather(ends, best % size, batch_dims=1),
                "score": tf.reduce_max(spans, [1, 2]),
            }

    return Pointer()


def _encoder(size: int, width: int) -> Any:
    """Words and flags → logits (B, T, 2) that an answer begins and ends there; none outside the context."""
    import keras
    from keras import layers, ops

    given = {
        "ids": keras.Input((None,), dtype="int32", name="ids"),
        "flags": keras.Input((None, FLAGS), name="flags"),
        "there": keras.Input((None,), dtype="bool", name="there"),
        "context": keras.Input((None,), dtype="bool", name="context"),
    }
    x = layers.Embedding(size, width)(given["ids"]) + layers.Dense(width)(given["flags"])
    x = x * ops.expand_dims(ops.cast(given["there"], "float32"), -1)
    x = x + layers.Conv1D(width, 7, padding="same", activation="relu")(x)
    seen = ops.expand_dims(given["there"], 1)
    for _ in range(BLOCKS):
        normal = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(HEADS, width // HEADS)(normal, normal, attention_mask=seen)
        x = x + layers.Dense(width)(layers.Dense(2 * width, "relu")(layers.LayerNormalization()(x)))
    logits = layers.Dense(2)(layers.LayerNormalization()(x))
    return keras.Model(given, ops.where(ops.expand_dims(given["context"], -1), logits, -1e9))


def _loss(truth: Any, logits: Any) -> Any:
    import keras

    entropy = keras.ops.sparse_categorical_crossentropy
    return sum(entropy(truth[:, at], logits[:, :, at], from_logits=True) for at in (0, 1))


def exact(truth: Any, logits: Any) -> Any:
    """The share of answers whose both ends are right."""
    import keras

    return keras.ops.all(keras.ops.cast(truth, "int32") == keras.ops.argmax(logits, 1), 1)


def _rows(reader: Any, data: Sequence[Asked]) -> tuple[dict[str, Any], Any]:
    """The model's input, and the words where the answers begin and end."""
    import tensorflow as tf

    given, starts, ends = reader.read(
        tf.constant([one.question for one in data]), tf.constant([one.context for one in data])
    )
    before = given["ids"].shape[1] - starts.shape[1]
    first = [np.flatnonzero(row == one.start)[0] for row, one in zip(starts.numpy(), data, strict=True)]
    last = [np.flatnonzero(row == one.end)[0] for row, one in zip(ends.numpy(), data, strict=True)]
    return given, np.stack([first, last], 1) + before


def _answers(serve: Any, data: Sequence[Asked]) -> list[str]:
    import tensorflow as tf

    found: list[str] = []
    for at in range(0, len(data), 64):
        part = data[at : at + 64]
        answer = serve(question=tf.constant([p.question for p in part]), context=tf.constant([p.context for p in part]))
        spans = zip(part, answer["start"].numpy(), answer["end"].numpy(), strict=True)
        found += [one.context[start:end] for one, start, end in spans]
    return found


def _judge(found: Sequence[str], data: Sequence[Asked]) -> dict[str, float]:
    """Exact match and mean F1 of words, as SQuAD has them."""
    pairs = [
        (overlap.plain(a), overlap.plain(one.context[one.start : one.end])) for a, one in zip(found, data, strict=True)
    ]
    return {
        "exact_match": float(np.mean([a == b for a, b in pairs])),
        "f1": float(np.mean([overlap.f1(a, b) for a, b in pairs])),
    }


def _guess(one: Asked) -> str:
    """The trivial baseline: of the sentence with most words of the question, the first name or number that is not in it."""
    asked = set(overlap.plain(one.question))
    best = max(sentences.split(one.context), key=lambda part: len(asked & set(overlap.plain(part[0]))))[0]
    found = (m.group() for m in re.finditer(r"[A-Z]\w*(?: [A-Z]\w*)*|\d+", best))
    return next((text for text in found if not asked & set(overlap.plain(text))), best)
