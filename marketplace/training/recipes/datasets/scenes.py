"""Scenes that are composed of scans of digits, by a documented process: what stands where is known to the pixel.

On a ground of a random grey with a gradient, blotches and grain stand one to five digits. Each is a scan, enlarged to 10 to 32
pixels, turned by up to 12 degrees, left soft as a scan or made crisp as by a pen, darker or lighter than the ground, and apart
from the others. Scans are split before scenes are composed, so that no scan of the test is in a scene that was learnt from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marketplace.training.recipes.datasets.splits import Part

MOST = 5  # digits in a scene
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scenes:
    """Grey images (n, side, side, 1) from 0 to 1; for each its boxes, left, top, width, height in pixels, and their labels."""

    images: Floats
    boxes: list[Floats]
    labels: list[NDArray[np.int64]]


def compose(scans: Part, count: int, side: int, seed: int) -> Scenes:
    """So many scenes from these scans (n, 8, 8, 1)."""
    random = np.random.default_rng(seed)
    images, boxes, labels = [], [], []
    for _ in range(count):
        image = _ground(side, random)
        placed: list[tuple[int, int, int, int]] = []
        shown: list[int] = []
        for _ in range(int(random.integers(1, MOST + 1))):
            at = int(random.integers(len(scans.y)))
            ink = _ink(scans.x[at, ..., 0], math.exp(random.uniform(math.log(10), math.log(32))), random)
            height, width = ink.shape
            for _ in range(8):
                left, top = (int(random.integers(0, side - extent + 1)) for extent in (width, height))
                if not any(_touch((left, top, width, height), other) for other in placed):
                    break
            else:
                continue
            under = image[top : top + height, left : left + width]
            own = float(under.mean())
            # As a pen on paper, or chalk on a board: there is room for contrast.
            end = float(random.random() > own) if 0.35 < own < 0.65 else float(own < 0.5)
            shade = own + (end - own) * random.uniform(0.5, 1.0)
            under += ink * (shade - under)
            placed.append((left, top, width, height))
            shown.append(int(scans.y[at]))
        image += random.normal(0, random.uniform(0, 0.04), image.shape)
        images.append(image.clip(0, 1).astype(np.float32)[..., None])
        boxes.append(np.asarray(placed, np.float32).reshape(-1, 4))
        labels.append(np.asarray(shown, np.int64))
    return Scenes(np.stack(images), boxes, labels)


def _ground(side: int, random: np.random.Generator) -> NDArray[np.float64]:
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    slope = random.normal(0, 0.15, 2)
    blotches = Image.fromarray(random.normal(0, 1, (7, 7)).astype(np.float32)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    ground: NDArray[np.float64] = random.uniform(0, 1) + slope[0] * x + slope[1] * y
    return (ground + np.asarray(blotches) * random.uniform(0, 0.08)).clip(0, 1)


def _ink(scan: Floats, size: float, random: np.random.Generator) -> Floats:
    """The digit as opacity, cut to its ink."""
    wide = random.uniform(0.8, 1.1)
    large = Image.fromarray(np.pad(scan, 2)).resize(
        (round(size * 1.5 * wide), round(size * 1.5)), Image.Resampling.BICUBIC
    )
    ink = np.asarray(large.rotate(random.uniform(-12, 12), Image.Resampling.BILINEAR)).clip(0, 1)
    if random.random() < 0.7:
        ink = 1 / (1 + np.exp((random.uniform(0.35, 0.7) - ink) * random.uniform(8, 25)))
    there = ink > 0.3
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)


def _touch(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return all(one[i] < other[i] + other[i + 2] + 2 and other[i] < one[i] + one[i + 2] + 2 for i in (0, 1))
