"""Texts as what a recipe learns from: tokens by a vocabulary of the training split, which is exported with the network."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import Feature, Tensor
from marketplace.training.recipes import words
from marketplace.training.recipes.materials import material
from marketplace.training.recipes.materials.choices import Choices, choices
from marketplace.training.recipes.materials.material import Rows, Truth
from marketplace.training.recipes.materials.table import opened
from marketplace.training.recipes.recipe import TableWork

NOTHING, UNKNOWN = 0, 1  # what the first two tokens stand for
VOCABULARY = {"words": 20_000, "characters": 5_000}  # tokens that are learnt at most
MOST_LENGTH = {"words": 64, "characters": 200}  # tokens of a text that are read
AT_ONCE = 1024  # texts


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of texts, and their labels."""

    cells: list[str]
    truth: Truth
    chosen: Choices
    total: int
    unit = "texts"

    def prepare(self, learn: Rows) -> Reading:
        """See Material."""
        cut = _cut([self.cells[row] for row in learn], self.chosen)
        counts = Counter(token for tokens in cut for token in tokens)
        most = VOCABULARY[self.chosen.tokens]
        known = [token for token, count in counts.most_common(most) if count > 1]
        length = min(max(map(len, cut)), MOST_LENGTH[self.chosen.tokens])
        if not known:
            raise ValueError("no word is in two texts: bring more texts, or read them by characters")
        return Reading(self.cells, self.chosen, len(known) + 2, length, words.table(["", "\x01", *known], UNKNOWN))

    def row(self, row: int) -> dict[str, str]:
        """See Material."""
        return {"text": self.cells[row]}

    def picture(self, row: int) -> str:
        """See Material."""
        return ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was fitted: the vocabulary, and how many tokens of a text are read."""

    cells: list[str]
    chosen: Choices
    tokens: int  # how many there are
    length: int
    kept: Any  # the table of tokens

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """See Prepared."""
        return (Tensor("text", "str", (None,)),)

    def features(self) -> tuple[Feature, ...]:
        """See Prepared: a text has no columns."""
        return ()

    def raw(self, rows: Rows) -> dict[str, NDArray[Any]]:
        """See Prepared."""
        return {"text": np.asarray([self.cells[row].encode() for row in rows], object)}

    def ready(self, **raw: Any) -> dict[str, Any]:
        """See Prepared: `tokens` int32 (B, length), NOTHING where a text is over; an empty text is one unknown token."""
        import tensorflow as tf

        tokens = cut(raw["text"], self.chosen)[:, : self.length]
        ids = self.kept.lookup(tokens.to_tensor("", shape=[None, self.length]))
        first = tf.where(tf.reduce_all(ids == NOTHING, 1, keepdims=True), UNKNOWN, ids[:, :1])
        return {"tokens": tf.concat([first, ids[:, 1:]], 1)}

    def entries(self) -> dict[str, Any]:
        """See Prepared."""
        import keras

        return {"tokens": keras.Input((self.length,), dtype="int32", name="tokens")}

    def example(self, row: int) -> dict[str, Any]:
        """See Prepared."""
        return {"text": self.cells[row]}


def cut(text: Any, chosen: Choices) -> Any:
    """TensorFlow: texts (B,) → their tokens, ragged (B, tokens)."""
    import tensorflow as tf

    text = tf.strings.lower(text, "utf-8") if chosen.lower else text
    return words.split(text) if chosen.tokens == "words" else tf.strings.unicode_split(text, "UTF-8")


def _cut(texts: list[str], chosen: Choices) -> list[list[str]]:
    """The tokens of each text, by the operations that are exported."""
    import tensorflow as tf

    found: list[list[bytes]] = []
    for at in range(0, len(texts), AT_ONCE):
        found += cut(tf.constant([text.encode() for text in texts[at : at + AT_ONCE]]), chosen).to_list()
    return [[token.decode() for token in tokens] for tokens in found]


def texts(work: TableWork) -> Texts:
    """What the work asks. Raises ValueError where that cannot be learnt."""
    sheet = opened(work)
    kept = dict(zip(sheet.names, sheet.columns, strict=True))
    for name in (work.target, work.text):
        if name not in kept:
            raise ValueError(f"the table has no column {name!r}")
    chosen, read = choices(work.choices), kept[work.text]
    cells = [label if text else "" for label, text in zip(kept[work.target], read, strict=True)]
    if chosen.once:
        cells = material.once(cells, list(zip(cells, read, strict=True)))
    return Texts(read, material.classes(cells, work.target), chosen, sheet.rows)
