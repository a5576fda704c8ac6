"""All tables of this room; each concept keeps its own."""

from __future__ import annotations

from marketplace.catalog.models import Listing, Model, Retirement, Split, Version
from marketplace.collections.models import Collection, Kept
from marketplace.publishing.models import Evidence, Import, Submission
from marketplace.reviews.models import Review
from marketplace.training.models import Dataset, Run

__all__ = [
    "Collection",
    "Dataset",
    "Evidence",
    "Import",
    "Kept",
    "Listing",
    "Model",
    "Retirement",
    "Review",
    "Run",
    "Split",
    "Submission",
    "Version",
]
