"""Picking the next token by its logits. The same seed picks the same tokens, whatever else is generated beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

CANDIDATES = 256  # of all tokens, the likeliest so many are drawn from: the rest is less than noise


class Sampler:
    """Temperature, then top-k, then top-p (Holtzman et al.: The Curious Case of Neural Text Degeneration, 2020).

    Temperature 0 takes the likeliest.
    """

    def __init__(self, given: Mapping[str, Any], default_heat: float) -> None:
        heat, top_p = given.get("temperature"), given.get("top_p")
        self._heat = default_heat if heat is None else float(heat)
        self._top_k = min(given.get("top_k") or CANDIDATES, CANDIDATES)
        self._top_p = 1.0 if top_p is None else float(top_p)
        self._random = np.random.default_rng(given.get("seed"))

    def pick(self, logits: NDArray[np.float32]) -> int:
        """A token. Logits [vocabulary]."""
        if self._heat == 0 or self._top_k == 1:
            return int(logits.argmax())
        count = min(self._top_k, len(logits))
        best = np.argpartition(logits, -count)[-count:] if count < len(logits) else np.arange(len(logits))
        best = best[np.argsort(-logits[best], kind="stable")]
        scaled = logits[best].astype(np.float64) / self._heat
        chances = np.exp(scaled - scaled[0])
        chances /= chances.sum()
        if self._top_p < 1:
            kept = int(np.searchsorted(np.cumsum(chances), self._top_p)) + 1
            best, chances = best[:kept], chances[:kept] / chances[:kept].sum()
        return int(best[min(int(np.searchsorted(np.cumsum(chances), self._random.random())), len(best) - 1)])
