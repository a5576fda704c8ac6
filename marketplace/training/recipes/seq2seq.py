"""Seq2seq: two GRUs with attention that translate one sentence (see attention). Parameters: KNOBS."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.training.recipes import fitting, overlap
from marketplace.training.recipes.attention import END, MARKS, NUMBER, PAD, UNKNOWN, network
from marketplace.training.recipes.datasets.phrasebook import Pair, phrasebook
from marketplace.training.recipes.datasets.phrasebook_words import NAMES
from marketplace.training.recipes.recipe import SEED, Knob, Outcome, Progress, Report, choose

BATCH = 48
KNOBS = {
    "epochs": Knob(2, 1, 100),
    "units": Knob(80, 8, 1024),
    "learning_rate": Knob(0.006, 1e-6, 1.0),
    "seed": SEED,
}
EXAMPLES = (
    "The old teacher does not read the red book.",
    "On Monday, Marta can see twelve small birds in my garden.",
    "I think that the children ate your cake yesterday.",
    "Did you buy 250 chairs last year?",
    "Where is the black cat?",
)


def train(dataset: str, params: Mapping[str, Any], report: Report, out: Path) -> Outcome:
    """See recipe.Recipe."""
    started = time.monotonic()
    chosen = choose(params, KNOBS)
    seed, epochs = chosen["seed"], chosen["epochs"]
    report(Progress("loading data", 0, epochs))
    if dataset != "phrasebook":
        raise ValueError(f"{dataset!r} is not a corpus of translations that this recipe knows: use phrasebook")
    pairs = phrasebook(seed)
    source, target = (_vocabulary(side) for side in zip(*map(_words, pairs.train), strict=True))

    import tensorflow as tf

    fitting.begin(seed)
    translator = network(source, target, chosen["units"], seed)
    _fit(translator, _numbers(pairs.train, source, target), pairs.validation, epochs, chosen["learning_rate"], report)
    report(Progress("exporting", epochs, epochs))
    tf.saved_model.save(translator, str(out), signatures={"serving_default": translator.translate})
    report(Progress("evaluating", epochs, epochs))
    loaded = tf.saved_model.load(str(out))
    return Outcome(
        ModelSpec(
            (Tensor("text", "str", (None,)),),
            (Tensor("text", "str", (None,)),),
            examples=tuple({"text": text} for text in EXAMPLES),
        ),
        _judge(loaded.signatures["serving_default"], pairs.test),
        _scores([english for english, _ in pairs.test], [german for _, german in pairs.test]),
        {
            "rows": [len(pairs.train), len(pairs.validation), len(pairs.test)],
            "unit": "sentences",
            "parameters": sum(int(np.prod(v.shape)) for v in translator.trainable_variables),
            "seconds": round(time.monotonic() - started, 1),
            "seed": seed,
        },
    )


def _words(pair: Pair) -> tuple[list[str], list[str]]:
    """Both sides as lists; German sentences begin small, names apart, as no noun stands there without its article."""
    english, german = (overlap.words(text) for text in pair)
    if german[0] not in NAMES:
        german[0] = german[0].lower()
    return [word.lower() for word in english], german


def _vocabulary(texts: Sequence[list[str]]) -> list[str]:
    """MARKS and all words that are no name and no number: those the network learns to carry over."""
    names = {*NAMES, *(name.lower() for name in NAMES)}
    found = Counter(word for text in texts for word in text if word not in names and not word.isdigit())
    return MARKS + sorted(found)


def _numbers(pairs: list[Pair], source: list[str], target: list[str]) -> list[tuple[list[int], list[int]]]:
    tables = [{word: number for number, word in enumerate(words)} for words in (source, target)]

    def numbers(words: list[str], table: dict[str, int]) -> list[int]:
        return [table.get(word, NUMBER if word.isdigit() else UNKNOWN) for word in words]

    return [(numbers(english, tables[0]), [*numbers(german, tables[1]), END]) for english, german in map(_words, pairs)]


def _fit(
    translator: Any,
    rows: list[tuple[list[int], list[int]]],
    validation: list[Pair],
    epochs: int,
    rate: float,
    report: Report,
) -> None:
    """Adam with a cosine schedule, on batches of sentences of like length."""
    import keras
    import tensorflow as tf

    random = np.random.default_rng(0)
    rows = sorted(rows, key=lambda row: (len(row[1]), len(row[0])))
    batches = [(_padded([a for a, _ in part]), _padded([b for _, b in part])) for part in _cut(rows)]
    variables = list(translator.trainable_variables)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, epochs * len(batches)), clipnorm=1.0)
    optimizer.build(variables)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)] * 2)  # type: ignore[untyped-decorator] # TensorFlow publishes no types
    def learn(given: Any, answer: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = translator.loss(given, answer)
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    started = reported = time.monotonic()
    for epoch in range(1, epochs + 1):
        losses: list[float] = []
        for done, at in enumerate(random.permutation(len(batches)), 1):
            losses.append(float(learn(*map(tf.constant, batches[at]))))
            if (now := time.monotonic()) - reported >= fitting.REPORT_EVERY_S:
                reported, share = now, epoch - 1 + done / len(batches)
                eta = (now - started) / share * (epochs - share)
                report(Progress("training", epoch, epochs, float(np.mean(losses[-20:])), eta_s=eta))
        judged = _judge(translator.translate, validation)["bleu"]
        eta = (time.monotonic() - started) / epoch * (epochs - epoch)
        report(Progress("training", epoch, epochs, float(np.mean(losses)), "bleu", judged, eta, True))


def _cut(rows: list[Any]) -> list[list[Any]]:
    return [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]


def _padded(rows: list[list[int]]) -> NDArray[np.int32]:
    width = max(map(len, rows))
    return np.asarray([row + [PAD] * (width - len(row)) for row in rows], np.int32)


def _judge(serve: Any, pairs: list[Pair]) -> dict[str, float]:
    import tensorflow as tf

    found = [
        text.decode() for part in _cut(pairs) for text in serve(text=tf.constant([a for a, _ in part]))["text"].numpy()
    ]
    return _scores(found, [german for _, german in pairs])


def _scores(found: list[str], truth: list[str]) -> dict[str, float]:
    """BLEU, and the share of sentences that are right to the letter."""
    exact = sum(one == other for one, other in zip(found, truth, strict=True)) / len(truth)
    return {"bleu": overlap.bleu(found, truth), "exact": exact}
