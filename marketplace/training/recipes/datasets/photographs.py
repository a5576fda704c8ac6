"""Photographs that ship with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (height, width, 3)


@dataclass(frozen=True, slots=True)
class Strips:
    """Two photographs, cut by columns into strips that share no pixel, 60 : 20 : 20.

    The test has the middle of each, where something is to be seen; at their right there is sky, or dark.
    """

    train: tuple[Pixels, ...]
    validation: tuple[Pixels, ...]
    test: tuple[Pixels, ...]


def strips() -> Strips:
    """china.jpg (a temple) and flower.jpg (a dahlia), 427×640 pixels each (scikit-learn)."""
    from sklearn.datasets import load_sample_images

    photographs: list[NDArray[Any]] = load_sample_images().images

    def columns(*shares: tuple[float, float]) -> tuple[Pixels, ...]:
        width = photographs[0].shape[1]
        return tuple(
            photograph[:, int(width * begin) : int(width * end)] for photograph in photographs for begin, end in shares
        )

    return Strips(columns((0, 0.4), (0.6, 0.8)), columns((0.8, 1)), columns((0.4, 0.6)))


def patches(strips: tuple[Pixels, ...], side: int, step: int) -> Pixels:
    """Squares (n, side, side, 3) from every `step` pixels of the strips."""
    return np.stack(
        [
            strip[top : top + side, left : left + side]
            for strip in strips
            for top in range(0, strip.shape[0] - side + 1, step)
            for left in range(0, strip.shape[1] - side + 1, step)
        ]
    )
