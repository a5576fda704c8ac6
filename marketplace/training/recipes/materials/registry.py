"""What each task that people train for learns from."""

from __future__ import annotations

from collections.abc import Callable

from marketplace.training.recipes.materials.material import Material
from marketplace.training.recipes.materials.pictures import pictures
from marketplace.training.recipes.materials.table import table
from marketplace.training.recipes.materials.texts import texts
from marketplace.training.recipes.recipe import TableWork

MATERIALS: dict[str, Callable[[TableWork], Material]] = {
    "tabular-classification": table,
    "tabular-regression": table,
    "text-classification": texts,
    "image-classification": pictures,
}


def opened(work: TableWork) -> Material:
    """The upload as what its task learns from. Raises ValueError where that cannot be learnt."""
    if work.task not in MATERIALS:
        raise ValueError(f"{work.task!r} is not learnt from uploads: use {', '.join(MATERIALS)}")
    return MATERIALS[work.task](work)
