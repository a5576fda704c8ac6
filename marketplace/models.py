"""All tables of this room; each concept keeps its own."""

from __future__ import annotations

from marketplace.catalog.models import Model, Split, Version
from marketplace.publishing.models import Import
from marketplace.training.models import Run

__all__ = ["Import", "Model", "Run", "Split", "Version"]
