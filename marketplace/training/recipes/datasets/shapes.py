"""Scenes in colour that are composed of digits and shapes on photographs: which pixel belongs to what is known.

On a ground cut from a photograph and made pale (one in four: a plain grey with grain) lie one to three things, the later ones
over the earlier: a scan of a digit with the edge of a pen, a disc, a rectangle or a triangle, of any vivid colour, turned, 20
to 44 pixels in size; and at last grain over all. Scans and photographs are split before scenes are composed.
"""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from marketplace.training.recipes.datasets.photographs import Pixels

KINDS = ("background", "digit", "disc", "rectangle", "triangle")
MOST = 3  # things in a scene
PALE = 0.6  # how far a photograph is grey
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Masked:
    """Images (n, side, side, 3) from 0 to 1, and for each pixel the number of its kind (n, side, side)."""

    images: Floats
    masks: NDArray[np.uint8]


def compose(scans: Floats, grounds: tuple[Pixels, ...], count: int, side: int, seed: int) -> Masked:
    """So many scenes from scans (n, 8, 8, 1) and photographs."""
    random = np.random.default_rng(seed)
    images, masks = [], []
    for _ in range(count):
        image, mask = _ground(grounds, side, random), np.zeros((side, side), np.uint8)
        for _ in range(int(random.integers(1, MOST + 1))):
            kind = int(random.integers(1, len(KINDS)))
            size = round(math.exp(random.uniform(math.log(20), math.log(44))))
            scan = scans[int(random.integers(len(scans))), ..., 0] if KINDS[kind] == "digit" else None
            opacity = _opacity(KINDS[kind], scan, size, random)
            left, top = (int(random.integers(-size // 5, side - size + size // 5)) for _ in range(2))
            whole = Image.new("F", (side, side))
            whole.paste(Image.fromarray(opacity), (left, top))
            over = np.asarray(whole)[..., None]
            image += over * (_colour(random) - image)
            mask[over[..., 0] > 0.5] = kind
        image += random.normal(0, random.uniform(0, 0.03), image.shape)
        images.append(image.clip(0, 1).astype(np.float32))
        masks.append(mask)
    return Masked(np.stack(images), np.stack(masks))


def _ground(grounds: tuple[Pixels, ...], side: int, random: np.random.Generator) -> NDArray[np.float64]:
    if random.random() < 0.25:
        return np.full((side, side, 3), random.uniform(0, 1)) + random.normal(0, 0.03, (side, side, 3))
    photograph = grounds[int(random.integers(len(grounds)))]
    extent = int(random.integers(side // 2, min(photograph.shape[:2]) + 1))
    top, left = (int(random.integers(0, whole - extent + 1)) for whole in photograph.shape[:2])
    cut = Image.fromarray(photograph[top : top + extent, left : left + extent]).resize(
        (side, side), Image.Resampling.BILINEAR
    )
    ground: NDArray[np.float64] = np.asarray(cut, np.float64) / 255
    ground = PALE * ground.mean(2, keepdims=True) + (1 - PALE) * ground
    return ground[:, ::-1].copy() if random.random() < 0.5 else ground


def _opacity(kind: str, scan: Floats | None, size: int, random: np.random.Generator) -> Floats:
    """A thing on a square of so many pixels: 1 where it is, 0 where it is not."""
    turn = random.uniform(0, 360)
    if scan is not None:
        large = Image.fromarray(scan).resize((size, size), Image.Resampling.BICUBIC).rotate(random.uniform(-15, 15))
        soft = random.uniform(0.35, 0.6) - np.asarray(large)
        return (1 / (1 + np.exp(soft * 16))).astype(np.float32)
    fine = Image.new("L", (4 * size, 4 * size))
    draw = ImageDraw.Draw(fine)
    middle = 2 * size
    match kind:
        case "disc":
            wide = random.uniform(0.75, 1) * middle
            draw.ellipse((middle - wide, 0, middle + wide, 4 * size - 1), 255)
        case "rectangle":
            draw.polygon(_corners(4, middle, turn, random.uniform(0.55, 0.95)), 255)
        case _:
            draw.polygon(_corners(3, middle, turn, 1), 255)
    return np.asarray(fine.resize((size, size), Image.Resampling.BOX), np.float32) / np.float32(255)


def _corners(count: int, middle: float, turn: float, squeeze: float) -> list[tuple[float, float]]:
    """Of a triangle, or of a rectangle whose diagonals cross at `squeeze` quarter turns."""
    angles = [0, 120, 240] if count == 3 else [0, 90 * squeeze, 180, 180 + 90 * squeeze]
    return [
        (middle + middle * math.cos(math.radians(turn + angle)), middle + middle * math.sin(math.radians(turn + angle)))
        for angle in angles
    ]


def _colour(random: np.random.Generator) -> NDArray[np.float64]:
    return np.asarray(colorsys.hsv_to_rgb(random.uniform(0, 1), random.uniform(0.65, 1), random.uniform(0.55, 1)))
