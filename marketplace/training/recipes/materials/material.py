"""What an upload offers to a recipe, whether it is a table, texts or pictures: rows with their truth, and what makes them ready."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import Feature, Tensor

Rows = NDArray[np.int64]
LEAST_ROWS = 30  # with a target
LEAST_OF_A_CLASS = 5


class Prepared(Protocol):
    """What the training split taught of raw rows, and what becomes of them in the exported graph."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The arrays that the exported signature takes."""
        ...

    @property
    def kept(self) -> Any:
        """What TensorFlow must export with the graph, such as a vocabulary; or None."""
        ...

    def features(self) -> tuple[Feature, ...]:
        """The columns for people and for the interface, where there are such."""
        ...

    def raw(self, rows: Rows) -> dict[str, NDArray[Any]]:
        """These rows as the signature takes them."""
        ...

    def ready(self, **raw: Any) -> dict[str, Any]:
        """TensorFlow: raw rows → what the network reads."""
        ...

    def entries(self) -> dict[str, Any]:
        """Keras' inputs for what `ready` gives."""
        ...

    def example(self, row: int) -> dict[str, Any]:
        """A row as the interface takes it."""
        ...


@dataclass(frozen=True, slots=True)
class Truth:
    """The rows that have a target, and the target of all rows: a label's number, or the number to estimate."""

    rows: Rows
    values: NDArray[Any]
    labels: tuple[str, ...]


class Material(Protocol):
    """An upload that was read, and what is asked of it."""

    @property
    def truth(self) -> Truth:
        """The rows to learn from, and what is to be learnt."""
        ...

    @property
    def total(self) -> int:
        """Rows, those without a target included."""
        ...

    @property
    def unit(self) -> str:
        """What a row is."""
        ...

    def prepare(self, learn: Rows) -> Prepared:
        """What these rows, the training split, say of what becomes of all. Raises ValueError where nothing is left."""
        ...

    def row(self, row: int) -> dict[str, str]:
        """A row for people: names and cells."""
        ...

    def picture(self, row: int) -> str:
        """The row as a picture, a data URL; blank where it is none."""
        ...


def classes(cells: Sequence[str], target: str) -> Truth:
    """The truth of a column of labels, blank where there is none. Raises ValueError where that cannot be learnt."""
    rows = _with_target(cells, target)
    counts = Counter(filter(None, cells))
    few = [label for label, count in counts.items() if count < LEAST_OF_A_CLASS]
    if few:
        raise ValueError(
            f"{few[0]!r} of {target} is in fewer than {LEAST_OF_A_CLASS} rows: bring more, or leave them out"
        )
    labels = tuple(sorted(counts))
    if len(labels) < 2:
        raise ValueError(f"{target} is the same in every row: there is nothing to learn")
    number = {label: at for at, label in enumerate(labels)}
    return Truth(rows, np.asarray([number.get(cell, -1) for cell in cells]), labels)


def numbers(cells: Sequence[str], target: str) -> Truth:
    """The truth of a column of numbers, blank where there is none. Raises ValueError for too few."""
    values = np.asarray([float(cell) if cell else np.nan for cell in cells], np.float32)
    return Truth(_with_target(cells, target), values, ())


def _with_target(cells: Sequence[str], target: str) -> Rows:
    rows = np.asarray([at for at, cell in enumerate(cells) if cell], np.int64)
    if len(rows) < LEAST_ROWS:
        raise ValueError(f"{len(rows)} rows say what {target} is: training needs {LEAST_ROWS} at least")
    return rows


def once(cells: Sequence[str], rows: Sequence[Hashable]) -> list[str]:
    """The cells of the target, blank for a row that was there before: it is taken once."""
    seen: set[Hashable] = set()
    kept = []
    for cell, row in zip(cells, rows, strict=True):
        kept.append("" if row in seen else cell)
        seen.add(row)
    return kept


def split(truth: Truth, rows: Rows, seed: int) -> tuple[Rows, Rows, Rows]:
    """Rows for learning, validation and the test, 60 : 20 : 20, by the seed; each class in its share."""
    from sklearn.model_selection import train_test_split

    def cut(rows: Rows, share: float) -> list[Rows]:
        by = truth.values[rows] if truth.labels else None
        found: list[Rows] = train_test_split(rows, test_size=share, random_state=seed, stratify=by)
        return found

    rest, test = cut(rows, 0.2)
    learn, check = cut(rest, 0.25)
    return learn, check, test


def parts(truth: Truth, rows: Rows, folds: int, seed: int) -> list[tuple[Rows, Rows]]:
    """For each fold of a cross-validation the rows that are fitted on, and those that judge."""
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = StratifiedKFold if truth.labels else KFold
    cut = kind(folds, shuffle=True, random_state=seed).split(rows, truth.values[rows])
    return [(rows[others], rows[part]) for others, part in cut]


Inputs = Mapping[str, Any]
