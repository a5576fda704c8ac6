"""The portal's own recommender: models are alike that the same workspaces use.

Item to item (Linden, Smith and York 2003): the cosine of two models' customers, held down where few have both. Each
model's list is a few rows that are read as they are; nothing is computed while somebody waits.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from billing.metering import customers
from marketplace.catalog.models import Model
from marketplace.recommending.models import Neighbour

LOOKS_BACK = timedelta(days=60)
FEWEST = 3  # workspaces that use both: what one or two do is nobody's business
KEPT = 20  # neighbours of a model
MOST_USED = 100  # models of one workspace that count: those that it uses most
HELD_DOWN = 3.0  # as if so many customers more had but one of the two
AT_ONCE = 2_000  # rows; SQLite's other writers wait for so many
Ints = NDArray[np.int32]


def keep(now: datetime) -> int:
    """Computes all neighbours anew from the last LOOKS_BACK; how many there are. Twice gives the same."""
    workspaces, models, slugs = _baskets(now - LOOKS_BACK)
    ids = _ids(slugs)
    rows: list[Neighbour] = []
    count = 0
    for model, others, likeness in alike(workspaces, models):
        rows += [
            Neighbour(model_id=ids[slugs[model]], other_id=ids[slugs[other]], likeness=likes, made_at=now)
            for other, likes in zip(others, likeness, strict=True)
            if slugs[model] in ids and slugs[other] in ids
        ]
        if len(rows) >= AT_ONCE:
            count += _write(rows)
            rows = []
    count += _write(rows)
    Neighbour.objects.filter(made_at__lt=now).delete()
    return count


def alike(workspaces: Ints, models: Ints) -> Iterator[tuple[int, list[int], list[float]]]:
    """Each model that has neighbours, the first KEPT of them, and how alike they are, the most alike first.

    `workspaces` and `models` are pairs of numbers from 0, each pair once: who uses what. Pairs are in the order of the workspaces.
    Memory beyond them is that of one model's customers.
    """
    if not len(models):
        return
    begins = np.searchsorted(workspaces, np.arange(int(workspaces[-1]) + 2))
    by_model = np.argsort(models, kind="stable")
    users = np.bincount(models)
    ends = np.cumsum(users)
    for model in np.flatnonzero(users >= FEWEST):
        own = workspaces[by_model[ends[model] - users[model] : ends[model]]]
        others, both = np.unique(
            np.concatenate([models[begins[one] : begins[one + 1]] for one in own]), return_counts=True
        )
        kept = (both >= FEWEST) & (others != model)
        others, both = others[kept], both[kept]
        likeness = both / (np.sqrt(float(users[model]) * users[others]) + HELD_DOWN)
        first = np.lexsort((others, -likeness))[:KEPT]
        if len(first):
            yield int(model), others[first].tolist(), likeness[first].tolist()


def _baskets(since: datetime) -> tuple[Ints, Ints, list[str]]:
    """Who uses what, as `alike` takes it, and the models' names by number."""
    workspaces, models = array("i"), array("i")
    codes: dict[str, int] = {}
    last, number, used = "", -1, 0
    for workspace, slug in customers.baskets(since):
        if workspace != last:
            last, number, used = workspace, number + 1, 0
        used += 1
        if used <= MOST_USED:
            workspaces.append(number)
            models.append(codes.setdefault(slug, len(codes)))
    return np.array(workspaces, np.int32), np.array(models, np.int32), list(codes)


def _ids(slugs: list[str]) -> dict[str, str]:
    """Of those models that there still are."""
    wanted = set(slugs)
    rows = Model.objects.values_list("pk", "publisher__slug", "name").iterator(chunk_size=5_000)
    return {slug: pk for pk, who, name in rows if (slug := f"{who}/{name}") in wanted}


def _write(rows: list[Neighbour]) -> int:
    written = Neighbour.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["model", "other"], update_fields=["likeness", "made_at"],
        batch_size=500,
    )  # fmt: skip
    return len(written)
