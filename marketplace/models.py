"""All tables of this room; each concept keeps its own."""

from __future__ import annotations

from marketplace.catalog.models import Listing, Meaning, Model, Retirement, Rollback, Split, TakeDown, Version
from marketplace.collections.models import Collection, Kept
from marketplace.publishers.models import Acceptance, Application
from marketplace.publishing.models import Evidence, Import, Submission
from marketplace.recommending.models import Neighbour
from marketplace.reviews.models import Review
from marketplace.training.models import Dataset, Run, Search

__all__ = [
    "Acceptance",
    "Application",
    "Collection",
    "Dataset",
    "Evidence",
    "Import",
    "Kept",
    "Listing",
    "Meaning",
    "Model",
    "Neighbour",
    "Retirement",
    "Review",
    "Rollback",
    "Run",
    "Search",
    "Split",
    "Submission",
    "TakeDown",
    "Version",
]
