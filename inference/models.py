"""All tables of this room; each concept keeps its own."""

from __future__ import annotations

from inference.idempotency.models import KeptAnswer
from inference.later.models import Batch, Delivery, Endpoint, File, Happening, Line, Prediction
from inference.routing.models import Figures, Replica

__all__ = [
    "Batch",
    "Delivery",
    "Endpoint",
    "Figures",
    "File",
    "Happening",
    "KeptAnswer",
    "Line",
    "Prediction",
    "Replica",
]
