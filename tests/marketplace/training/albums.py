"""Albums for tests: small pictures of two classes that a network tells apart, in an archive."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

from PIL import Image

Member = tuple[str, bytes]


def png(seed: int, light_side: str = "left", size: tuple[int, int] = (12, 10)) -> bytes:
    """A picture whose left or right half is light; every seed makes another."""
    dice = random.Random(seed)
    image = Image.new("RGB", size)
    for x in range(size[0]):
        for y in range(size[1]):
            light = (x < size[0] / 2) == (light_side == "left")
            image.putpixel((x, y), tuple(dice.randint(0, 90) + (150 if light else 0) for _ in range(3)))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def pictures(each: int = 20) -> list[Member]:
    """As many of each class, in folders."""
    return [
        (f"photos/{side}/{number}.png", png(number * 2 + at, side))
        for at, side in enumerate(("left", "right"))
        for number in range(each)
    ]


def zipped(path: Path, *members: Member, mode: int = 0) -> Path:
    """An archive at this path; with the mode a member may claim to be a link."""
    with zipfile.ZipFile(path, "w") as made:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            made.writestr(info, data)
    return path
