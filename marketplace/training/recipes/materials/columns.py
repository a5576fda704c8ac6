"""A table's columns, fitted on the training split only and exported with the network: raw cells in, numbers out.

A missing number becomes the median (or what was chosen), and says so in a column of its own where it was missing in the
training split too. A word becomes the number of its category: 0 for one that was not learnt, 1 for the commonest, and so on; a
missing word is a category where the training split had such, else the commonest. Of a date the day is a number, and month,
weekday and hour are places on a circle. A text is which of its words, hashed, are there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import Feature
from marketplace.training.recipes import words as words_of
from marketplace.training.recipes.datasets.profile import MOST_CATEGORIES
from marketplace.training.recipes.materials.choices import Choices

FARTHEST = 10.0  # standard deviations: what is farther off counts as that
OUTLIERS = (1.0, 99.0)  # percentiles
BUCKETS = 128  # of a text's words
_ISO, _EUROPE = r"^\s*(\d{4})-(\d\d?)-(\d\d?)(?:[T ](\d\d?):\d\d.*)?\s*$", r"^\s*(\d\d?)[./](\d\d?)[./](\d{4})()\s*$"


@dataclass(frozen=True, slots=True)
class Scale:
    """(x − shift) / width, after what is beyond low and high counts as these."""

    shift: float
    width: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Number:
    """A column of numbers, as the training split has them."""

    name: str
    filled: float
    scale: Scale
    least: float
    middle: float
    most: float
    gaps: bool

    def feature(self) -> Feature:
        """For people."""
        return Feature(self.name, short(self.least), short(self.most), short(self.middle), (), True)


@dataclass(frozen=True, slots=True)
class Category:
    """A column of words: those that are there twice at least, the commonest first."""

    name: str
    known: tuple[str, ...]
    gaps: bool

    @property
    def depth(self) -> int:
        """How many numbers `number` gives: unknown, each known one, and missing."""
        return len(self.known) + 1 + self.gaps

    def feature(self) -> Feature:
        """For people."""
        return Feature(self.name, 0, 0, self.known[0], self.known, True)

    def number(self, words: Any) -> Any:
        """TensorFlow: words (B,) → int32 (B,)."""
        import tensorflow as tf

        hit = tf.equal(words[:, None], tf.constant(self.known))
        known = tf.where(tf.reduce_any(hit, 1), tf.argmax(hit, 1, tf.int32) + 1, 0)
        return tf.where(tf.equal(words, ""), len(self.known) + 1 if self.gaps else 1, known)


@dataclass(frozen=True, slots=True)
class Date:
    """A column of dates: year-month-day with or without a time; or day, month and year, the month first if one must be."""

    name: str
    month_first: bool
    filled: float  # days since 1970
    scale: Scale
    example: str
    width = 8

    def feature(self) -> Feature:
        """For people."""
        return Feature(self.name, 0, 0, self.example, (), True, "date")

    def measures(self, words: Any) -> Any:
        """TensorFlow: texts (B,) → (B, width): the day, the month, weekday and hour on circles, and whether it is missing."""
        import math

        import tensorflow as tf

        days, month, hour = days_of(words, self.month_first)
        gone = tf.math.is_nan(days)
        days = tf.where(gone, self.filled, days)
        scaled = (tf.clip_by_value(days, self.scale.low, self.scale.high) - self.scale.shift) / self.scale.width
        turns = tf.stack([month / 12, tf.math.floormod(tf.floor(days) + 3, 7) / 7, hour / 24], 1) * (2 * math.pi)
        circles = tf.where(gone[:, None], 0.0, tf.concat([tf.sin(turns), tf.cos(turns)], 1))
        return tf.concat([scaled[:, None], circles, tf.cast(gone, tf.float32)[:, None]], 1)


@dataclass(frozen=True, slots=True)
class Text:
    """A column of texts; nothing is fitted."""

    name: str
    example: str
    width = BUCKETS

    def feature(self) -> Feature:
        """For people."""
        return Feature(self.name, 0, 0, self.example, (), True, "text")

    def measures(self, words: Any) -> Any:
        """TensorFlow: texts (B,) → (B, width): 1 where one of the words that share a place is in the text."""
        import tensorflow as tf

        split = words_of.split(tf.strings.lower(words, "utf-8"))
        places = tf.ragged.map_flat_values(lambda word: tf.strings.to_hash_bucket_fast(word, BUCKETS), split)
        there = tf.one_hot(places.to_tensor(-1), BUCKETS)
        return tf.reduce_max(tf.pad(there, [[0, 0], [0, 1], [0, 0]]), 1)


Column = Number | Category | Date | Text


def fit_number(name: str, cells: Sequence[str], chosen: Choices) -> Number | None:
    """The column as these cells have it; None where all are blank."""
    values = numbers(cells)
    there = values[~np.isnan(values)].astype(np.float64)
    if not len(there):
        return None
    middle = float(np.median(there))
    filled = {"median": middle, "mean": float(there.mean()), "most_frequent": _commonest(there)}[chosen.fill]
    gaps = chosen.gaps and len(there) < len(values)
    return Number(name, filled, _scale(there, chosen), float(there.min()), middle, float(there.max()), gaps)


def fit_category(name: str, cells: Sequence[str]) -> Category | None:
    """The column as these cells have it; None where no word is there twice."""
    counts = Counter(filter(None, cells))
    known = tuple(word for word, count in counts.most_common(MOST_CATEGORIES) if count > 1)
    return Category(name, known, "" in cells) if known else None


def fit_date(name: str, cells: Sequence[str], chosen: Choices) -> Date | None:
    """The column as these cells have it; None where none is a date."""
    import tensorflow as tf

    given = tf.constant([cell.encode() for cell in cells] or [b""])
    read = {first: days_of(given, first)[0].numpy() for first in (False, True)}
    month_first = bool(np.isnan(read[False]).sum() > np.isnan(read[True]).sum())
    days = read[month_first][~np.isnan(read[month_first])].astype(np.float64)
    if not len(days):
        return None
    example = max(cell for cell in cells if cell)
    return Date(name, month_first, float(np.median(days)), _scale(days, chosen), example)


def fit_text(name: str, cells: Sequence[str]) -> Text | None:
    """The column as these cells have it; None where all are blank."""
    there = [cell for cell in cells if cell]
    return Text(name, min(there, key=len)[:200]) if there else None


def days_of(words: Any, month_first: bool) -> tuple[Any, Any, Any]:
    """TensorFlow: texts (B,) → days since 1970 (not a number where it is no date), the month from 0, the hour.

    Days from the calendar by Howard Hinnant's `days_from_civil`.
    """
    import tensorflow as tf

    iso = tf.strings.regex_full_match(words, _ISO)
    local = tf.strings.regex_full_match(words, _EUROPE)

    def part(of_iso: int, of_local: int) -> Any:
        text = tf.where(
            iso,
            tf.strings.regex_replace(words, _ISO, rf"0\{of_iso}"),
            tf.strings.regex_replace(words, _EUROPE, rf"0\{of_local}"),
        )
        return tf.strings.to_number(tf.where(iso | local, text, "0"), tf.int32)

    day_at, month_at = (2, 1) if month_first else (1, 2)
    year, month, day, hour = part(1, 3), part(2, month_at), part(3, day_at), part(4, 4)
    right = (iso | local) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31) & (hour < 24)
    y = year - tf.cast(month <= 2, tf.int32)
    era = y // 400
    of_era = y - era * 400
    of_year = (153 * tf.math.floormod(month + 9, 12) + 2) // 5 + day - 1
    days = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    whole = tf.cast(days, tf.float32)
    return tf.where(right, whole, float("nan")), tf.cast(month - 1, tf.float32), tf.cast(hour, tf.float32)


def _scale(there: NDArray[np.float64], chosen: Choices) -> Scale:
    """Fitted on what the cells are after what is too far off is clipped."""
    mean, deviation = float(there.mean()), float(there.std()) or 1.0
    low, high = mean - FARTHEST * deviation, mean + FARTHEST * deviation
    if chosen.clip:
        low, high = (float(bound) for bound in np.percentile(there, OUTLIERS))
        there = there.clip(low, high)
        mean, deviation = float(there.mean()), float(there.std()) or 1.0
    if chosen.scale == "minmax":
        return Scale(float(there.min()), float(np.ptp(there)) or 1.0, low, high)
    return Scale(mean, deviation, low, high) if chosen.scale == "standard" else Scale(0.0, 1.0, low, high)


def _commonest(there: NDArray[np.float64]) -> float:
    values, counts = np.unique(there, return_counts=True)
    return float(values[counts.argmax()])


def numbers(cells: Sequence[str]) -> NDArray[np.float32]:
    """Blank cells are not a number."""
    return np.asarray([float(cell) if cell else np.nan for cell in cells], np.float32)


def short(value: float) -> float:
    """Four significant digits: what a person would type."""
    return float(f"{value:.4g}")
