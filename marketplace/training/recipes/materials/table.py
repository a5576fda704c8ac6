"""A table as what a recipe learns from: its columns by their roles, and what becomes of raw rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import Feature, Tensor
from marketplace.training.recipes.datasets.profile import CLASSIFICATION, NUMBER, kind_of, learnt_as
from marketplace.training.recipes.datasets.reading import Sheet, Unreadable, number, read, records
from marketplace.training.recipes.materials import columns, material
from marketplace.training.recipes.materials.choices import Choices, choices
from marketplace.training.recipes.materials.columns import Category, Column, Date, Number, Text
from marketplace.training.recipes.materials.material import Inputs, Rows, Truth
from marketplace.training.recipes.recipe import TableWork

EMBEDDED_FROM = 14  # categories that are so many get vectors instead of a column each


@dataclass(frozen=True, slots=True)
class Table:
    """A table, the columns to learn from and their roles, and the truth."""

    sheet: Sheet
    roles: Mapping[str, str]
    truth: Truth
    chosen: Choices
    total: int
    unit = "rows"

    def prepare(self, learn: Rows) -> Preparation:
        """See Material."""
        kept = dict(zip(self.sheet.names, self.sheet.columns, strict=True))
        found: list[Column] = []
        for name, role in self.roles.items():
            cells = [kept[name][row] for row in learn]
            if made := _fit(name, role, cells, self.chosen):
                found.append(made)
        if not found:
            raise ValueError("no column is left to learn from: leave out fewer, or bring numbers and categories")
        return Preparation(self.sheet, tuple(found))

    def row(self, row: int) -> dict[str, str]:
        """See Material."""
        return next(records(self.sheet, [row]))

    def picture(self, row: int) -> str:
        """See Material."""
        return ""


def _fit(name: str, role: str, cells: list[str], chosen: Choices) -> Column | None:
    match role:
        case "number":
            return columns.fit_number(name, cells, chosen)
        case "category":
            return columns.fit_category(name, cells)
        case "date":
            return columns.fit_date(name, cells, chosen)
        case _:
            return columns.fit_text(name, cells)


@dataclass(frozen=True, slots=True)
class Preparation:
    """What was fitted, column by column in the table's order."""

    sheet: Sheet
    columns: tuple[Column, ...]
    kept = None

    @property
    def numbers(self) -> tuple[Number, ...]:
        """The columns of the input `numbers`."""
        return tuple(one for one in self.columns if isinstance(one, Number))

    @property
    def words(self) -> tuple[Category | Date | Text, ...]:
        """The columns of the input `words`."""
        return tuple(one for one in self.columns if not isinstance(one, Number))

    @property
    def categories(self) -> tuple[Category, ...]:
        """The columns of what the network reads as `ids`."""
        return tuple(one for one in self.columns if isinstance(one, Category))

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """See Prepared."""
        numbers = Tensor("numbers", "float32", (None, len(self.numbers)))
        words = Tensor("words", "str", (None, len(self.words)))
        return (*[numbers][: len(self.numbers)], *[words][: len(self.words)])

    @property
    def places(self) -> dict[str, list[int]]:
        """Of each column that is no category its places among the measures: numbers, then gaps, then dates and texts."""
        found = {one.name: [at] for at, one in enumerate(self.numbers)}
        at = len(found)
        for gap in self.numbers:
            if gap.gaps:
                found[gap.name].append(at)
                at += 1
        for one in self.words:
            if not isinstance(one, Category):
                found[one.name] = list(range(at, at + one.width))
                at += one.width
        return found

    def features(self) -> tuple[Feature, ...]:
        """See Prepared."""
        return tuple(one.feature() for one in self.columns)

    def raw(self, rows: Rows) -> dict[str, NDArray[Any]]:
        """See Prepared."""
        kept = dict(zip(self.sheet.names, self.sheet.columns, strict=True))
        found: dict[str, NDArray[Any]] = {}
        if self.numbers:
            found["numbers"] = np.stack(
                [columns.numbers([kept[one.name][row] for row in rows]) for one in self.numbers], 1
            )
        if self.words:
            words = [[kept[one.name][row].encode() for one in self.words] for row in rows]
            found["words"] = np.asarray(words, object).reshape(len(rows), len(self.words))
        return found

    def ready(self, **raw: Any) -> dict[str, Any]:
        """See Prepared: `measures` and, for each category, `ids`."""
        import tensorflow as tf

        measures, ids = [], []
        if self.numbers:
            measures += _measures(self.numbers, raw["numbers"])
        for at, one in enumerate(self.words):
            given = raw["words"][:, at]
            if isinstance(one, Category):
                ids.append(one.number(given))
            else:
                measures.append(one.measures(given))
        found: dict[str, Any] = {}
        if measures:
            found["measures"] = tf.concat(measures, 1)
        if ids:
            found["ids"] = tf.stack(ids, 1)
        return found

    def entries(self) -> dict[str, Any]:
        """See Prepared."""
        import keras

        found = {}
        if width := sum(map(len, self.places.values())):
            found["measures"] = keras.Input((width,), name="measures")
        if self.categories:
            found["ids"] = keras.Input((len(self.categories),), dtype="int32", name="ids")
        return found

    def vectors(self, inputs: Inputs) -> list[Any]:
        """Keras: for each category a column each, or a vector where they are many."""
        import keras

        found = []
        for at, one in enumerate(self.categories):
            ids = inputs["ids"][:, at]
            if one.depth < EMBEDDED_FROM:
                found.append(keras.ops.one_hot(ids, one.depth))
            else:
                found.append(keras.layers.Embedding(one.depth, min(16, round(one.depth**0.5)))(ids))
        return found

    def joined(self, inputs: Inputs) -> Any:
        """Keras: the whole row as numbers."""
        import keras

        parts = [*([inputs["measures"]] if "measures" in inputs else []), *self.vectors(inputs)]
        return keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]

    def example(self, row: int) -> dict[str, Any]:
        """See Prepared; what is missing is left out."""
        cells = next(records(self.sheet, [row]))
        numbers = {one.name for one in self.numbers}
        told = {one.name: cells[one.name] for one in self.columns if cells[one.name]}
        return {"features": {name: float(cell) if name in numbers else cell for name, cell in told.items()}}


def _measures(numbers: tuple[Number, ...], given: Any) -> list[Any]:
    import tensorflow as tf

    def told(*path: str) -> Any:
        return tf.constant([_at(one, *path) for one in numbers], tf.float32)

    gone = tf.math.is_nan(given)
    there = tf.where(gone, told("filled"), given)
    near = tf.minimum(tf.maximum(there, told("scale", "low")), told("scale", "high"))
    gaps = [at for at, one in enumerate(numbers) if one.gaps]
    said = tf.cast(tf.gather(gone, tf.constant(gaps, tf.int32), axis=1), tf.float32)
    return [(near - told("scale", "shift")) / told("scale", "width"), said]


def _at(one: Any, *path: str) -> Any:
    for name in path:
        one = getattr(one, name)
    return one


def table(work: TableWork) -> Table:
    """What the work asks. Raises ValueError where that cannot be learnt."""
    sheet = opened(work)
    kept = dict(zip(sheet.names, sheet.columns, strict=True))
    if work.target not in kept:
        raise ValueError(f"the table has no column {work.target!r}")
    roles = {}
    for name in sheet.names:
        role = work.roles.get(name) or learnt_as(kind_of(name, kept[name]))
        if name == work.target or name in work.leave_out or not role:
            continue
        if role == NUMBER and not all(number(cell) is not None for cell in kept[name] if cell):
            raise ValueError(f"{name!r} is not a number in every row: use it as a category, or leave it out")
        roles[name] = role
    chosen = choices(work.choices)
    cells = kept[work.target]
    if chosen.once:
        cells = material.once(cells, list(zip(*sheet.columns, strict=True)))
    truth = (material.classes if work.task == CLASSIFICATION else material.numbers)(cells, work.target)
    return Table(sheet, roles, truth, chosen, sheet.rows)


def opened(work: TableWork) -> Sheet:
    """The table. Raises ValueError."""
    try:
        return read(Path(work.path), work.form)
    except (Unreadable, OSError) as error:
        raise ValueError(f"the table cannot be read any more: {error}") from error
