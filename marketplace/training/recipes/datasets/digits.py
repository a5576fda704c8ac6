"""Handwriting that ships with scikit-learn."""

from __future__ import annotations

import numpy as np

from marketplace.training.recipes.datasets.splits import Table, split


def digits(seed: int) -> Table:
    """1,797 handwritten digits of 43 people, 8×8 pixels from 0 to 1, light ink on dark (UCI, by scikit-learn)."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x = (data.images / 16).astype(np.float32)[..., None]
    return split(x, data.target, tuple(str(d) for d in range(10)), (), seed)
