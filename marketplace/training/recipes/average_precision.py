"""Mean average precision: how well boxes are found, at an overlap of a half.

Everingham et al. 2010 (PASCAL VOC): detections of a kind are taken by falling score; one is right if it overlaps a box of
its kind, which none before it took, by IoU 0.5 or more. The average precision is the area under precision against recall,
with precision made monotone; the mean is over the kinds that occur.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """Detections in one image: boxes (n, 4) as left, top, width, height, their scores and their labels."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[Any]


def mean_average_precision(
    found: Sequence[Found], boxes: Sequence[NDArray[np.float32]], labels: Sequence[NDArray[np.int64]], kinds: int
) -> float:
    """From 0 to 1, over all images; `boxes` and `labels` are the truth."""
    each = [
        _average_precision(found, boxes, labels, kind) for kind in range(kinds) if any(kind in one for one in labels)
    ]
    return float(np.mean(each))


def _average_precision(
    found: Sequence[Found], boxes: Sequence[NDArray[np.float32]], labels: Sequence[NDArray[np.int64]], kind: int
) -> float:
    truth = [one[own == kind] for one, own in zip(boxes, labels, strict=True)]
    taken = [np.zeros(len(one), bool) for one in truth]
    claims = sorted(
        ((float(score), at, box) for at, one in enumerate(found)
         for score, box, label in zip(one.scores, one.boxes, one.labels, strict=True) if label == kind),
        key=lambda claim: -claim[0],
    )  # fmt: skip
    right = np.zeros(len(claims))
    for number, (_, at, box) in enumerate(claims):
        overlaps = iou(box, truth[at])
        if len(overlaps) and overlaps.max() >= ENOUGH and not taken[at][overlaps.argmax()]:
            taken[at][overlaps.argmax()] = True
            right[number] = 1
    hits = right.cumsum()
    precision = hits / np.arange(1, len(hits) + 1)
    monotone = np.maximum.accumulate(precision[::-1])[::-1]
    return float((monotone * right).sum() / sum(map(len, truth)))


def iou(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """The intersection over the union of a box with each of the others."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    shared = (high - low).clip(0).prod(1)
    found: NDArray[np.float32] = shared / (box[2:].prod() + others[:, 2:].prod(1) - shared)
    return found
