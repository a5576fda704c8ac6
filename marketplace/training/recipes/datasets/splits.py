"""Rows in three parts, split before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Part:
    """Inputs of one split, row by row (numbers, or texts), and for each a label's number, or the number to estimate."""

    x: NDArray[Any]
    y: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A data set in three parts; those of `split` are 60 : 20 : 20, stratified by its labels where it has any."""

    train: Part
    validation: Part
    test: Part
    labels: tuple[str, ...]
    features: tuple[str, ...] = ()


def split(
    x: NDArray[np.float32], y: NDArray[Any], labels: tuple[str, ...], features: tuple[str, ...], seed: int
) -> Table:
    """Rows in three parts by the seed; see Table."""
    from sklearn.model_selection import train_test_split

    def cut(x: NDArray[np.float32], y: NDArray[Any], share: float) -> list[NDArray[Any]]:
        found: list[NDArray[Any]] = train_test_split(
            x, y, test_size=share, random_state=seed, stratify=y if labels else None
        )
        return found

    x_fit, x_test, y_fit, y_test = cut(x, y, 0.2)
    x_train, x_val, y_train, y_val = cut(x_fit, y_fit, 0.25)
    return Table(Part(x_train, y_train), Part(x_val, y_val), Part(x_test, y_test), labels, features)
