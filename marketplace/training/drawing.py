"""An evaluation as pictures: points for polylines and circles in a box of 100 × 100, shades for a confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SIDE = 100
SHADES = 9


def curve(points: Sequence[Sequence[float]]) -> str:
    """The `points` of an SVG polyline; x and y from 0 to 1, y upwards."""
    return " ".join(f"{SIDE * x:.1f},{SIDE * (1 - y):.1f}" for x, y in points)


def evaluation(found: Mapping[str, Any]) -> dict[str, Any]:
    """What templates draw of recipes.judging's JSON."""
    if "dots" in found:
        return {"dots": _dots(found["dots"])}
    if "confusion" not in found:
        return {}
    shown = [
        {**one, "roc_points": curve(one["roc"]), "pr_points": curve(one["pr"]), "ink": at}
        for at, one in enumerate(found["curves"])
    ]
    bins = found["calibration"]["bins"]
    return {
        "matrix": [
            (label, [(count, _shade(count, row)) for count in row])
            for label, row in zip(found["labels"], found["confusion"], strict=True)
        ],
        "curves": shown,
        "calibration": curve([(one["said"], one["right"]) for one in bins]),
    }


def _shade(count: int, row: Sequence[int]) -> int:
    """0 for none, else by its share of the row."""
    return 0 if not count else 1 + round((SHADES - 1) * count / max(sum(row), 1))


def _dots(pairs: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    low, high = min(map(min, pairs)), max(map(max, pairs))
    width = (high - low) or 1.0
    return [(round(SIDE * (x - low) / width, 1), round(SIDE * (1 - (y - low) / width), 1)) for x, y in pairs]
