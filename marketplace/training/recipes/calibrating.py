"""Chances that mean what they say: how far they are off, and how they are set right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10


def platt(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> tuple[float, float]:
    """Slope and offset that make σ(slope · logit + offset) likeliest (Platt 1999)."""
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=1e9, tol=1e-8, max_iter=1000).fit(logits[:, None], truth)
    return float(found.coef_[0, 0]), float(found.intercept_[0])


def judge(chances: NDArray[Any], truth: NDArray[np.int64]) -> dict[str, float]:
    """Brier score (1950): the mean squared error of the chances; and the expected calibration error, see `table`."""
    rows = table(chances, truth)
    return {
        "brier": float(((chances - truth) ** 2).mean()),
        "calibration_error": sum(r["rows"] * abs(r["said"] - r["came"]) for r in rows) / len(truth),
    }


def table(chances: NDArray[Any], truth: NDArray[np.int64]) -> list[dict[str, float]]:
    """Ten groups of the same size by chance: rows, mean chance said, and the share that came true.

    Σ rows / all · |said − came| is the expected calibration error (Naeini et al. 2015; bins of equal size: Nguyen and
    O'Connor 2015).
    """
    groups = np.array_split(np.argsort(chances, kind="stable"), BINS)
    return [
        {"rows": len(group), "said": float(chances[group].mean()), "came": float(truth[group].mean())}
        for group in groups
        if len(group)
    ]
