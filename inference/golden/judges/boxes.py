"""The judge of what finds things on images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from django.utils.translation import gettext as _

from inference.golden.intervals import Places, Statistic
from inference.golden.judges.judge import ExampleInvalid, Json, Judge, Measure
from marketplace.tasks.object_detection import SIDES
from marketplace.tasks.task import Metric
from marketplace.training.recipes.average_precision import Found, mean_average_precision

MOST_BOXES = 200
RESAMPLES = 200  # each of them matches all boxes anew


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
    """Mean average precision at an overlap of a half, over the kinds that occur in these examples."""
    kinds = sorted({one["label"] for boxes in truth for one in boxes})
    place = {kind: at for at, kind in enumerate(kinds)}
    true = [_boxes(one) for one in truth]
    labels = [np.asarray([place[box["label"]] for box in one], np.int64) for one in truth]
    found = [
        Found(
            _boxes(one),
            np.asarray([box["score"] for box in one], np.float32),
            np.asarray([place.get(box["label"], -1) for box in one], np.int64),
        )
        for one in said
    ]

    def of(at: Places) -> float:
        picked = at.tolist()
        if not any(len(labels[one]) for one in picked):
            return float("nan")
        return mean_average_precision(
            [found[one] for one in picked], [true[one] for one in picked], [labels[one] for one in picked], len(kinds)
        )

    return of


def _boxes(given: Json) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.asarray([[one["box"][side] for side in SIDES] for one in given], np.float32).reshape(-1, 4)


def matched(truth: Json, said: Json) -> float:
    """The mean average precision of one image."""
    if not truth:
        return float(not said)
    return precision([truth], [said])(np.arange(1))


DETECTION = Judge(
    ("image", "threshold"), boxes, lambda output: output["objects"], matched,
    (Measure(Metric("map_50", "Mean average precision (IoU 0.5)", percent=True), precision, RESAMPLES),),
    lists=("threshold",),
)  # fmt: skip
