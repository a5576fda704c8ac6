"""Texts as vectors for the portal itself, by settings.CATALOG_ENCODER: nobody pays, and no usage event tells of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inference.engines.engine import Work
from inference.routing import router
from marketplace.catalog.resolve import Resolved


def encode(resolved: Resolved, texts: Sequence[str], timeout_s: float) -> NDArray[np.float32]:
    """A row for each text, by a replica of the version, which is loaded where it runs here.

    Raises Problems: of the routing (5xx), and 4xx for texts that the model does not take.
    """
    result, _replica = router.infer(resolved, Work({"texts": list(texts)}, timeout_s=timeout_s))
    return np.asarray(result.output["embeddings"], dtype=np.float32)
