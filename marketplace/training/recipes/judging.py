"""A model's answers on the test split in detail, as JSON: what pages draw and tables say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_CURVES = 6
POINTS = 60  # of a curve
BINS = 10
WORST = 8
MOST_DOTS = 300
Row = Callable[
    [int], dict[str, Any]
]  # by its place in the test split: `row`, names and cells, and its `picture` if it is one


def classes(
    probabilities: NDArray[np.float32], truth: NDArray[np.int64], labels: Sequence[str], row: Row
) -> dict[str, Any]:
    """Confusion (truth by answer), figures of each class, ROC and precision-recall curves, calibration, worst examples.

    Of two classes the curves are those of the second; of more, those of each against the rest.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    said = probabilities.argmax(1)
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, said, labels=list(range(len(labels))), zero_division=0.0
    )
    curved = [1] if len(labels) == 2 else list(np.argsort(-support, kind="stable")[:MOST_CURVES])
    own = probabilities[np.arange(len(truth)), truth]
    return {
        "labels": list(labels),
        "confusion": confusion_matrix(truth, said, labels=list(range(len(labels)))).tolist(),
        "classes": [
            {"label": label, "precision": float(p), "recall": float(r), "f1": float(f), "rows": int(n)}
            for label, p, r, f, n in zip(labels, precision, recall, f1, support, strict=True)
        ],
        "curves": [
            _curves(labels[at], truth == at, probabilities[:, at]) for at in curved if 0 < support[at] < len(truth)
        ],
        "calibration": _calibration(probabilities.max(1), said == truth),
        "worst": [
            {**row(int(at)), "truth": labels[truth[at]], "answer": labels[said[at]], "probability": float(own[at])}
            for at in np.argsort(own, kind="stable")[:WORST]
        ],
    }


def _curves(label: str, truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> dict[str, Any]:
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

    false, true, _ = roc_curve(truth, scores)
    precision, recall, _ = precision_recall_curve(truth, scores)
    return {
        "label": label,
        "auc": float(roc_auc_score(truth, scores)),
        "average_precision": float(average_precision_score(truth, scores)),
        "share": float(truth.mean()),
        "roc": _thin(false, true),
        "pr": _thin(recall[::-1], precision[::-1]),
    }


def _thin(x: NDArray[Any], y: NDArray[Any]) -> list[list[float]]:
    at = np.unique(np.linspace(0, len(x) - 1, min(POINTS, len(x))).round().astype(int))
    return [[round(float(x[i]), 4), round(float(y[i]), 4)] for i in at]


def _calibration(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> dict[str, Any]:
    """By tenths of what the model said of its answer: how often it was right, and the expected calibration error.

    ECE = Σ rows of a bin / rows × |right − said| (Naeini et al. 2015).
    """
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    found = [
        {
            "said": float(confidence[bins == at].mean()),
            "right": float(right[bins == at].mean()),
            "rows": int((bins == at).sum()),
        }
        for at in range(BINS)
        if (bins == at).any()
    ]
    error = sum(one["rows"] * abs(one["right"] - one["said"]) for one in found) / len(right)
    return {"bins": found, "error": error}


def numbers(found: NDArray[np.float32], truth: NDArray[np.float32], row: Row) -> dict[str, Any]:
    """Truth and answer of some rows, and the worst examples."""
    error = np.abs(found - truth)
    shown = np.unique(np.linspace(0, len(truth) - 1, min(MOST_DOTS, len(truth))).round().astype(int))
    return {
        "dots": [[float(truth[at]), float(found[at])] for at in shown],
        "worst": [
            {**row(int(at)), "truth": float(truth[at]), "answer": float(found[at])}
            for at in np.argsort(-error, kind="stable")[:WORST]
        ],
    }
