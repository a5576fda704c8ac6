"""Vectors of chance for texts, as long as those of a small sentence encoder: what a search by meaning costs, without one."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

WIDTH = 384


def encode(resolved: Any, texts: Sequence[str], timeout_s: float) -> Any:
    """The same vector for the same text."""
    rows = [np.random.default_rng(zlib.crc32(text.encode())).standard_normal(WIDTH) for text in texts]
    return np.asarray(rows, np.float32)
