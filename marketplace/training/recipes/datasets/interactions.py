"""Logs of who chose what in which order, split by person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.tasks.task import Item


@dataclass(frozen=True, slots=True)
class Choices:
    """What people chose, each a sequence of places in the catalog, oldest first, nothing twice.

    `shown`, where what was on offer is known: for each choice the candidates as places, the chosen one among them.
    """

    sequences: tuple[NDArray[np.int32], ...]  # (length,) each
    shown: tuple[NDArray[np.int32], ...] = ()  # (length, candidates) each


@dataclass(frozen=True, slots=True)
class Log:
    """A catalog and three parts, 80 : 10 : 10; nobody is in two of them.

    `attributes` (items, any) are what is known of an item besides who chose it.
    """

    items: tuple[Item, ...]
    attributes: NDArray[np.float32]
    train: Choices
    validation: Choices
    test: Choices
    unit: str  # what a sequence is: sessions, people, …


def split(
    items: Sequence[Item],
    attributes: NDArray[np.float32],
    sequences: Sequence[Sequence[int]],
    seed: int,
    unit: str,
    shown: Sequence[Sequence[Sequence[int]]] = (),
) -> Log:
    """The sequences in three parts by the seed; see Log."""
    order = np.random.default_rng(seed).permutation(len(sequences))
    first, second = len(order) * 8 // 10, len(order) * 9 // 10

    def part(chosen: NDArray[np.int64]) -> Choices:
        return Choices(
            tuple(np.asarray(sequences[at], np.int32) for at in chosen),
            tuple(np.asarray(shown[at], np.int32) for at in chosen) if shown else (),
        )

    parts = (part(order[:first]), part(order[first:second]), part(order[second:]))
    return Log(tuple(items), attributes.astype(np.float32), *parts, unit)


def one_hot(words: Sequence[str]) -> NDArray[np.float32]:
    """A column for each different word, in the order of the alphabet."""
    kinds = sorted(set(words))
    return np.eye(len(kinds), dtype=np.float32)[[kinds.index(word) for word in words]]


def slug(title: str) -> str:
    """An id as addresses have them: letters, digits and hyphens."""
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower().replace("'", "")).split())
