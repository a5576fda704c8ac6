"""The judge of what finds things on images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from inference.golden.intervals import Places, Statistic
from inference.golden.judges.judge import ExampleInvalid, Json, Judge, Measure
from marketplace.tasks.object_detection import SIDES
from marketplace.tasks.task import Metric
from marketplace.training.recipes.average_precision import ENOUGH, iou

MOST_BOXES = 200


def boxes(given: Json) -> Json:
    """A list of {"label", "box"}. Raises ExampleInvalid."""
    told = ExampleInvalid(
        _('What is expected is a list like [{"label": "cat", "box": {"x": 4, "y": 8, "width": 30, "height": 20}}].')
    )
    if not isinstance(given, list) or len(given) > MOST_BOXES:
        raise told
    found = []
    for one in given:
        box = one.get("box") if isinstance(one, dict) else None
        if not isinstance(box, dict) or not isinstance(one.get("label"), str) or set(box) != set(SIDES):
            raise told
        if any(isinstance(box[side], bool) or not isinstance(box[side], (int, float)) for side in SIDES):
            raise told
        found.append({"label": one["label"], "box": {side: float(box[side]) for side in SIDES}})
    return found


def precision(truth: Sequence[Json], said: Sequence[Json]) -> Statistic:
    """Mean average precision at an overlap of a half, over the kinds that occur in these examples.

    As recipes/average_precision.py has it; but which box is found by which is the same however often an image is drawn, so
    it is worked out once, and an image that was drawn twice counts twice.
    """
    kinds = sorted({one["label"] for boxes in truth for one in boxes})
    true = np.asarray([[sum(box["label"] == kind for box in one) for one in truth] for kind in kinds], np.float64)
    claims = [_claims(truth, said, kind) for kind in kinds]

    def of(at: Places) -> float:
        drawn = np.bincount(at, minlength=len(truth)).astype(np.float64)
        each = []
        for (images, right), there in zip(claims, true, strict=True):
            total = (drawn * there).sum()
            if total:
                counts = drawn[images]
                hits, all_ = (counts * right).cumsum(), np.maximum(counts.cumsum(), 1)
                monotone = np.maximum.accumulate((hits / all_)[::-1])[::-1]
                each.append(float((monotone * right * counts).sum() / total))
        return float(np.mean(each)) if each else float("nan")

    return of


def _claims(truth: Sequence[Json], said: Sequence[Json], kind: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Of all boxes of a kind that were found, by falling score: in which image, and whether one that is there was found by it."""
    found: list[tuple[float, int, float]] = []
    for at, (is_, says) in enumerate(zip(truth, said, strict=True)):
        there = _boxes([one for one in is_ if one["label"] == kind])
        taken = np.zeros(len(there), bool)
        own = sorted((one for one in says if one["label"] == kind), key=lambda one: -float(one["score"]))
        for one, box in zip(own, _boxes(own), strict=True):
            overlaps = iou(box, there)
            right = bool(len(overlaps)) and overlaps.max() >= ENOUGH and not taken[overlaps.argmax()]
            if right:
                taken[overlaps.argmax()] = True
            found.append((float(one["score"]), at, float(right)))
    found.sort(key=lambda claim: -claim[0])
    images = np.asarray([claim[1] for claim in found], np.int64)
    return images, np.asarray([claim[2] for claim in found], np.float64)


def _boxes(given: Json) -> NDArray[np.float32]:
    return np.asarray([[one["box"][side] for side in SIDES] for one in given], np.float32).reshape(-1, 4)


def matched(truth: Json, said: Json) -> float:
    """The mean average precision of one image."""
    if not truth:
        return float(not said)
    return precision([truth], [said])(np.arange(1))


DETECTION = Judge(
    ("image", "threshold"), boxes, lambda output: output["objects"], matched,
    (Measure(Metric("map_50", "Mean average precision (IoU 0.5)", percent=True), precision),),
    lists=("threshold",),
)  # fmt: skip
