"""Draws digits as people do: by strokes of a pen of any thickness, slanted, anywhere, in any colour; and in print."""

from __future__ import annotations

import math
from random import Random

from PIL import Image, ImageDraw, ImageFont

Stroke = list[tuple[float, float]]


def _arc(x: float, y: float, wide: float, tall: float, start: float, end: float) -> Stroke:
    """Part of an ellipse by its half axes; degrees go clockwise from the right."""
    turns = [math.radians(start + (end - start) * i / 24) for i in range(25)]
    return [(x + wide * math.cos(turn), y + tall * math.sin(turn)) for turn in turns]


# Ways to write each digit, in a unit square.
WAYS: dict[int, list[list[Stroke]]] = {
    0: [[_arc(0.5, 0.5, 0.28, 0.45, -90, 270)], [_arc(0.5, 0.5, 0.36, 0.42, -60, 300)]],
    1: [[[(0.5, 0.05), (0.5, 0.95)]], [[(0.32, 0.28), (0.55, 0.05), (0.55, 0.95)]], [[(0.6, 0.05), (0.42, 0.95)]]],
    2: [[_arc(0.5, 0.3, 0.28, 0.25, -180, 20) + [(0.2, 0.95), (0.82, 0.95)]]],
    3: [[_arc(0.45, 0.28, 0.28, 0.23, -160, 90) + _arc(0.45, 0.73, 0.32, 0.23, -90, 160)]],
    4: [[[(0.6, 0.05), (0.18, 0.62), (0.85, 0.62)], [(0.62, 0.3), (0.62, 0.95)]]],
    5: [[[(0.78, 0.06), (0.28, 0.06), (0.25, 0.45), *_arc(0.48, 0.67, 0.3, 0.27, -120, 150)]]],
    6: [[[(0.68, 0.05), (0.35, 0.4)], _arc(0.5, 0.7, 0.27, 0.25, -180, 180)]],
    7: [
        [[(0.2, 0.06), (0.8, 0.06), (0.42, 0.95)]],
        [[(0.2, 0.06), (0.8, 0.06), (0.42, 0.95)], [(0.35, 0.5), (0.75, 0.5)]],
    ],
    8: [[_arc(0.5, 0.28, 0.23, 0.23, 90, 450), _arc(0.5, 0.73, 0.29, 0.22, -90, 270)]],
    9: [[[*_arc(0.48, 0.3, 0.26, 0.25, 0, 360), (0.74, 0.3), (0.7, 0.95)]]],
}


def drawn(strokes: list[Stroke], size: int, dark_on_light: bool, random: Random) -> Image.Image:
    """The strokes by an unsteady hand on a square canvas of so many pixels."""
    scale, slant = random.uniform(0.35, 0.85), random.uniform(-0.12, 0.2)
    left, top = random.uniform(0.05, 0.95 - scale), random.uniform(0.05, 0.95 - scale)
    pen = max(3.0, random.uniform(0.03, 0.1) * scale * 2 * size)
    paper, ink = _colours(dark_on_light, random)
    image = Image.new("L", (2 * size, 2 * size), paper)
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        points = [
            (
                2 * size * (left + scale * (x + slant * (0.5 - y) + random.gauss(0, 0.006))),
                2 * size * (top + scale * (y + random.gauss(0, 0.006))),
            )
            for x, y in stroke
        ]
        draw.line(points, ink, round(pen), "curve")
        for x, y in (points[0], points[-1]):
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), ink)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def printed(digit: int, size: int, dark_on_light: bool, random: Random) -> Image.Image:
    """The digit in Pillow's own typeface."""
    scale = random.uniform(0.4, 0.8)
    paper, ink = _colours(dark_on_light, random)
    image = Image.new("L", (size, size), paper)
    ImageDraw.Draw(image).text((size * 0.2, 0), str(digit), ink, ImageFont.load_default(scale * size))
    return image


def _colours(dark_on_light: bool, random: Random) -> tuple[int, int]:
    light, dark = random.randint(190, 255), random.randint(0, 60)
    return (light, dark) if dark_on_light else (dark, light)
