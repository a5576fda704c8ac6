"""Who sees a model, who may call it, and where it is listed: three questions, asked here and nowhere else.

| visibility | its page, its answers | in searches, lists, the feed, the leaderboard, suggestions, counts |
|---|---|---|
| private | its workspace's keys, and members who may change things there | of the same |
| workspace | its workspace: keys and every member | of the same |
| unlisted | whoever knows the link | its workspace's alone |
| public | everybody | everybody's |

What one may not see does not exist: 404, never 403. Only `publishers.rights` says who may make a model unlisted or public.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from django.db.models import OuterRef, Q, QuerySet, Subquery
from numpy.typing import NDArray

from marketplace.catalog import takedowns
from marketplace.catalog.models import Model, Visibility
from marketplace.catalog.shelf import REACH, Shelf

OPEN = (Visibility.UNLISTED, Visibility.PUBLIC)  # others may see and call it


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: a workspace by its id, empty for nobody's; and whether a member may change things there, as keys always may."""

    workspace_id: str = ""
    changes: bool = True


ANYBODY = Reader()


def visible(reader: Reader) -> QuerySet[Model]:
    """Models whose page the reader may open and that they may call: for one that is named, not for lists.

    With publisher and live version at hand, and the latest run's state as `run_state`.
    """
    return _with_more(_own(reader) | Q(visibility__in=OPEN))


def listed(reader: Reader) -> QuerySet[Model]:
    """Models for lists: those that are public, and the reader's own, unless an operator took them down; otherwise as `visible`."""
    return takedowns.there(_with_more(_own(reader) | Q(visibility=Visibility.PUBLIC)))


def own(reader: Reader) -> QuerySet[Model]:
    """Models that the reader's workspace publishes, as far as the reader sees them; otherwise as `visible`."""
    return _with_more(_own(reader))


def on_shelf(held: Shelf, reader: Reader) -> NDArray[np.bool_]:
    """Rows of the shelf that `listed` would give, and those that are `gone`: what a search may find, count, and read words from."""
    public: NDArray[np.bool_] = held.kept("public", lambda: (held["alive"] != 0) & (held["reach"] == REACH["public"]))
    owner = held.owners.get(reader.workspace_id)
    if owner < 0:
        return public.copy()
    own: NDArray[np.bool_] = (held["alive"] != 0) & (held["owner"] == owner)
    if not reader.changes:
        own &= held["reach"] != REACH["private"]
    return public | own


def allows(visibility: str, owner_id: str, reader: Reader) -> bool:
    """Whether the reader may see and call a model of this visibility: `visible` for the hot path, without a query."""
    if visibility in OPEN:
        return True
    return owner_id == reader.workspace_id and (reader.changes or visibility != Visibility.PRIVATE)


def _own(reader: Reader) -> Q:
    mine = Q(publisher_id=reader.workspace_id)
    return mine if reader.changes else mine & ~Q(visibility=Visibility.PRIVATE)


def _with_more(which: Q) -> QuerySet[Model]:
    latest = Model.runs.rel.related_model.objects.filter(model=OuterRef("pk")).order_by("-created_at")  # type: ignore[attr-defined] # a reverse descriptor
    found = Model.objects.filter(which).select_related("publisher", "live_version", "listing")
    return found.annotate(run_state=Subquery(latest.values("state")[:1]))
