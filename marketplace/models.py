"""All tables of this room; each concept keeps its own."""

from __future__ import annotations

from marketplace.catalog.models import Model, Split, Version
from marketplace.training.models import Run

__all__ = ["Model", "Run", "Split", "Version"]
