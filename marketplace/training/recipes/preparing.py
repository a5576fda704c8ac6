"""Preprocessing that is fitted on the training split only and exported with the network: raw cells in, numbers out.

A missing number becomes the median, and says so in a column of its own where it was missing in the training split too. A
word becomes the number of its category: 0 for one that was not learnt, 1 for the commonest, and so on; a missing word is a
category where the training split had such, else the commonest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import Feature, Tensor
from marketplace.training.recipes.datasets.profile import CATEGORY, MOST_CATEGORIES, NUMBER
from marketplace.training.recipes.datasets.reading import Sheet

FARTHEST = 10.0  # standard deviations: what is farther off counts as that


@dataclass(frozen=True, slots=True)
class Number:
    """A column of numbers, as the training split has them."""

    name: str
    middle: float
    mean: float
    deviation: float
    low: float
    high: float
    gaps: bool


@dataclass(frozen=True, slots=True)
class Category:
    """A column of words: those that are there twice at least, the commonest first."""

    name: str
    known: tuple[str, ...]
    gaps: bool

    @property
    def depth(self) -> int:
        """How many numbers `ready` gives: unknown, each known one, and missing."""
        return len(self.known) + 1 + self.gaps


@dataclass(frozen=True, slots=True)
class Preparation:
    """What was fitted, column by column in the table's order."""

    numbers: tuple[Number, ...]
    categories: tuple[Category, ...]
    order: tuple[str, ...]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The arrays that the exported signature takes."""
        numbers = Tensor("numbers", "float32", (None, len(self.numbers)))
        words = Tensor("words", "str", (None, len(self.categories)))
        return (*[numbers][: len(self.numbers)], *[words][: len(self.categories)])

    @property
    def measures(self) -> int:
        """Columns of numbers that `ready` gives."""
        return len(self.numbers) + sum(one.gaps for one in self.numbers)

    def features(self) -> tuple[Feature, ...]:
        """The columns for people and for the interface."""
        made = {
            n.name: Feature(n.name, _short(n.low), _short(n.high), _short(n.middle), (), True) for n in self.numbers
        }
        made |= {c.name: Feature(c.name, 0, 0, c.known[0], c.known, True) for c in self.categories}
        return tuple(made[name] for name in self.order)

    def raw(self, sheet: Sheet, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """These rows of the table as the signature takes them."""
        columns = dict(zip(sheet.names, sheet.columns, strict=True))
        found: dict[str, NDArray[Any]] = {}
        if self.numbers:
            found["numbers"] = np.stack([_numbers(columns[one.name])[rows] for one in self.numbers], 1)
        if self.categories:
            words = [[columns[one.name][row].encode() for one in self.categories] for row in rows]
            found["words"] = np.asarray(words, object).reshape(len(rows), len(self.categories))
        return found

    def ready(self, numbers: Any = None, words: Any = None) -> dict[str, Any]:
        """TensorFlow: raw rows → what the network reads, `measures` and for each category `ids`."""
        import tensorflow as tf

        found: dict[str, Any] = {}
        if self.numbers:
            middle, mean, deviation = (
                tf.constant([getattr(one, name) for one in self.numbers], tf.float32)
                for name in ("middle", "mean", "deviation")
            )
            gone = tf.math.is_nan(numbers)
            measures = (tf.where(gone, middle, numbers) - mean) / deviation
            gaps = [at for at, one in enumerate(self.numbers) if one.gaps]
            said = tf.cast(tf.gather(gone, tf.constant(gaps, tf.int32), axis=1), tf.float32)
            found["measures"] = tf.concat([tf.clip_by_value(measures, -FARTHEST, FARTHEST), said], 1)
        if self.categories:
            found["ids"] = tf.stack([_id(one, words[:, at]) for at, one in enumerate(self.categories)], 1)
        return found


def fit(sheet: Sheet, kinds: Mapping[str, str], names: Sequence[str], rows: NDArray[np.int64]) -> Preparation:
    """What these rows, the training split, say of these columns. Raises ValueError where no column is left."""
    columns = dict(zip(sheet.names, sheet.columns, strict=True))
    numbers, categories, order = [], [], []
    for name in names:
        if kinds[name] == NUMBER and (made := _fit_number(name, _numbers(columns[name])[rows])):
            numbers.append(made)
        elif kinds[name] == CATEGORY and (sorted_out := _fit_category(name, [columns[name][row] for row in rows])):
            categories.append(sorted_out)
        else:
            continue
        order.append(name)
    if not order:
        raise ValueError("no column is left to learn from: leave out fewer, or bring numbers and categories")
    return Preparation(tuple(numbers), tuple(categories), tuple(order))


def _fit_number(name: str, values: NDArray[np.float32]) -> Number | None:
    there = values[~np.isnan(values)].astype(np.float64)
    if not len(there):
        return None
    return Number(
        name, float(np.median(there)), float(there.mean()), float(there.std()) or 1.0, float(there.min()),
        float(there.max()), len(there) < len(values),
    )  # fmt: skip


def _fit_category(name: str, words: Sequence[str]) -> Category | None:
    counts = Counter(filter(None, words))
    known = tuple(word for word, count in counts.most_common(MOST_CATEGORIES) if count > 1)
    return Category(name, known, "" in words) if known else None


def _id(category: Category, words: Any) -> Any:
    import tensorflow as tf

    hit = tf.equal(words[:, None], tf.constant(category.known))
    known = tf.where(tf.reduce_any(hit, 1), tf.argmax(hit, 1, tf.int32) + 1, 0)
    return tf.where(tf.equal(words, ""), len(category.known) + 1 if category.gaps else 1, known)


def _numbers(cells: Sequence[str]) -> NDArray[np.float32]:
    return np.asarray([float(cell) if cell else np.nan for cell in cells], np.float32)


def _short(value: float) -> float:
    """Four significant digits: what a person would type."""
    return float(f"{value:.4g}")
