"""What recipes on characters share: rows of text side by side, the bigram baseline, judging step by step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import ModelSpec, Tensor
from marketplace.training.recipes.datasets.prose import pydoc_topics

UNKNOWN = 0


def load(dataset: str, seed: int) -> tuple[list[str], list[NDArray[np.int32]]]:
    """The tokens, and the characters of the three parts by their numbers. Raises ValueError."""
    if dataset != "pydoc":
        raise ValueError(f"{dataset!r} is not a text that this recipe knows: use pydoc")
    prose = pydoc_topics(seed)
    tokens = ["\N{REPLACEMENT CHARACTER}", *sorted(set(prose.train))]
    index = {token: i for i, token in enumerate(tokens)}
    parts = (prose.train, prose.validation, prose.test)
    return tokens, [np.asarray([index.get(c, UNKNOWN) for c in text], np.int32) for text in parts]


def spec(tokens: list[str]) -> ModelSpec:
    """What such a model takes and gives."""
    return ModelSpec(
        (Tensor("text", "str", (None,)),),
        (Tensor("logits", "float32", (None, len(tokens))),),
        examples=tuple(
            {"prompt": prompt, "max_tokens": 160, "temperature": 0.5, "seed": 1}
            for prompt in ("The function ", "If the object ", "A class ", "When ")
        ),
        max_output_tokens=1000,
    )


def side_by_side(ids: NDArray[np.int32], rows: int) -> NDArray[np.int32]:
    """The text cut into so many rows; the last character of a row is the first of the next."""
    length = (len(ids) - 1) // rows
    return np.stack([ids[i * length : (i + 1) * length + 1] for i in range(rows)])


def bigrams(train: NDArray[np.int32], test: NDArray[np.int32], size: int) -> dict[str, float]:
    """The trivial baseline: which character follows which, counted on the training split (add-one smoothing)."""
    counts = np.ones((size, size))
    np.add.at(counts, (train[:-1], train[1:]), 1)
    chances = counts / counts.sum(1, keepdims=True)
    return {
        "bits_per_character": float(-np.log2(chances[test[:-1], test[1:]]).mean()),
        "accuracy": float((chances.argmax(1)[test[:-1]] == test[1:]).mean()),
    }


def judge(step: Any, rows: NDArray[np.int32], state_size: int) -> dict[str, float]:
    """Bits per character and next-character accuracy of `step`, over all rows side by side."""
    import tensorflow as tf

    state, bits, hits = tf.zeros((len(rows), state_size)), 0.0, 0
    for at in range(rows.shape[1] - 1):
        answer = step(token=tf.constant(rows[:, at]), state=state)
        state, following = answer["state"], rows[:, at + 1]
        chances = tf.nn.log_softmax(answer["logits"]).numpy()
        bits -= float(chances[np.arange(len(rows)), following].sum()) / math.log(2)
        hits += int((chances.argmax(1) == following).sum())
    count = rows.shape[0] * (rows.shape[1] - 1)
    return {"bits_per_character": bits / count, "accuracy": hits / count}
