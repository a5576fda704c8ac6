"""All tables of this room; each concept keeps its own."""

from __future__ import annotations

from inference.idempotency.models import KeptAnswer
from inference.routing.models import Figures, Replica

__all__ = ["Figures", "KeptAnswer", "Replica"]
