"""Units that only some prices ask for, counted where they do; and sums of tokens for those who speak other protocols."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

from PIL import Image

from billing.prices.quote import Scheme

MOST_SIDE = 1536  # of an image whose size its caller leaves to the upstream


def tokens_read(units: Mapping[str, int]) -> int:
    """Input tokens, those from a cache included."""
    return units.get("input_token", 0) + units.get("cached_input_token", 0)


def counted(scheme: Scheme, units: Mapping[str, int], worked_s: float, output: Any = None) -> Mapping[str, int]:
    """The units with those that this price asks for: milliseconds of the engine's work, pixels of images."""
    if not units or not scheme.asks_measures:
        return units
    more = {}
    if scheme.asks("millisecond"):
        more["millisecond"] = max(round(worked_s * 1000), 1)
    if scheme.asks("pixel"):
        more["pixel"] = pixels(output)
    return {**units, **more}


def most(given: Mapping[str, Any], timeout_s: float) -> dict[str, int]:
    """As many of these units as there can be: of pixels by the size that is asked for ("1024x1536"), else MOST_SIDE²."""
    width, _, height = str(given.get("size") or "").partition("x")
    each = int(width) * int(height) if width.isdecimal() and height.isdecimal() else MOST_SIDE**2
    return {"millisecond": round(timeout_s * 1000), "pixel": each * (given.get("n") or 1)}


def pixels(output: Any) -> int:
    """Of all images of an answer; what is no image has none."""
    images = output.get("images") if isinstance(output, Mapping) else None
    return sum(map(_pixels, images or ()))


def _pixels(written: str) -> int:
    try:
        with Image.open(io.BytesIO(base64.b64decode(written))) as image:  # its head only
            return image.width * image.height
    except (ValueError, OSError, Image.DecompressionBombError):
        return 0
