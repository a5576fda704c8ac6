"""Every starter by name."""

from __future__ import annotations

from marketplace.training.starters import arrays, language, recommendation, tabular, vision
from marketplace.training.starters.starter import Starter

STARTERS: tuple[Starter, ...] = (
    *vision.STARTERS,
    *tabular.STARTERS,
    *language.STARTERS,
    *recommendation.STARTERS,
    *arrays.STARTERS,
)


def by_name(name: str) -> Starter:
    """The starter of this name. Raises KeyError with the names there are."""
    found = {starter.name: starter for starter in STARTERS}
    if name not in found:
        raise KeyError(f"{name!r} is no starter: use one of {', '.join(found)}")
    return found[name]
