"""How raw data is made ready, as people choose it. Everything is fitted on the training split and exported with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

FILLS = ("median", "mean", "most_frequent")
SCALES = ("standard", "minmax", "none")
TOKENS = ("words", "characters")
SIDES = (16, 24, 32, 48, 64)
AUGMENTATIONS = ("flip", "shift", "turn")


@dataclass(frozen=True, slots=True)
class Choices:
    """Of tables: fill, gaps, scale, clip. Of texts: tokens, lower. Of pictures: scale (standard or none), side, augment. Of all: once."""

    fill: str = "median"  # what a missing number becomes
    gaps: bool = True  # a column of its own says where a number was missing
    scale: str = "standard"  # mean 0 and deviation 1, or from 0 to 1, or as it is
    clip: bool = False  # numbers beyond the 1st and the 99th percentile count as these
    once: bool = False  # what is there twice is learnt from, and judged on, once
    tokens: str = "words"
    lower: bool = True  # capital letters are small ones
    side: int = 32  # pixels that a picture is high and wide
    augment: tuple[str, ...] = ()  # pictures are changed at random while they are learnt from


ALLOWED: dict[str, tuple[Any, ...]] = {"fill": FILLS, "scale": SCALES, "tokens": TOKENS, "side": SIDES}


def choices(given: Mapping[str, Any]) -> Choices:
    """The choices by name. Raises ValueError that says which to change, and to what."""
    known = {field.name for field in fields(Choices)}
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"{name!r} is no way to prepare data: use {', '.join(sorted(known))}")
        if name in ALLOWED and value not in ALLOWED[name]:
            raise ValueError(f"{name} must be one of {', '.join(map(str, ALLOWED[name]))}")
        if name in ("gaps", "clip", "once", "lower") and not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false")
        if name == "augment" and not (isinstance(value, list | tuple) and set(value) <= set(AUGMENTATIONS)):
            raise ValueError(f"augment must be a list of {', '.join(AUGMENTATIONS)}")
    return Choices(**{**given, "augment": tuple(given.get("augment", ()))})
