"""Mean average precision agrees with what comes out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from marketplace.training.recipes.average_precision import Found, iou, mean_average_precision

ONE, OTHER = [0.0, 0, 10, 10], [20.0, 20, 10, 10]
TRUTH = [np.array([ONE, OTHER], np.float32)], [np.array([0, 1])]


def found(*claims: tuple[list[float], float, int]) -> list[Found]:
    boxes, scores, labels = zip(*claims, strict=True) if claims else ([], [], [])
    return [Found(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(labels))]


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ([(ONE, 0.9, 0), (OTHER, 0.8, 1)], 1.0),
        ([(ONE, 0.9, 0)], 0.5),
        ([], 0.0),
        ([(ONE, 0.9, 1), (OTHER, 0.8, 0)], 0.0),
        ([(ONE, 0.9, 0), (ONE, 0.8, 0), (OTHER, 0.8, 1)], 1.0),
        ([(ONE, 0.5, 0), ([0.0, 40, 9, 9], 0.8, 0), (OTHER, 0.8, 1)], 0.75),
        ([([0.0, 0, 10, 4.9], 0.9, 0), (OTHER, 0.8, 1)], 0.5),
    ],
    ids=["all", "half", "none", "labels swapped", "twice, later", "a false one first", "too little overlap"],
)
def test_detections_are_judged(claims: list[tuple[list[float], float, int]], expected: float) -> None:
    assert mean_average_precision(found(*claims), *TRUTH, 2) == pytest.approx(expected)


def test_overlap_is_shared_over_covered() -> None:
    others = np.array([ONE, [5, 0, 10, 10], OTHER], np.float32)
    np.testing.assert_allclose(iou(np.array(ONE, np.float32), others), [1, 50 / 150, 0])
