"""All tables of this room; each concept keeps its own."""

from __future__ import annotations

from inference.golden.models import Example, GoldenAnswer, GoldenRun, GoldenSet
from inference.idempotency.models import KeptAnswer
from inference.later.models import Batch, Delivery, Endpoint, File, Happening, Line, Prediction
from inference.routing.models import Figures, Replica

__all__ = [
    "Batch",
    "Delivery",
    "Endpoint",
    "Example",
    "Figures",
    "File",
    "GoldenAnswer",
    "GoldenRun",
    "GoldenSet",
    "Happening",
    "KeptAnswer",
    "Line",
    "Prediction",
    "Replica",
]
