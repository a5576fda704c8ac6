"""All tables of this room; each concept keeps its own."""

from __future__ import annotations

from inference.routing.models import Replica

__all__ = ["Replica"]
