"""What to show next: beside a model, and to a workspace by what it uses."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from billing.metering import customers
from marketplace.catalog import search
from marketplace.catalog.models import Model, Retirement
from marketplace.catalog.search import Query
from marketplace.catalog.visibility import Reader, listed, visible
from marketplace.recommending.models import Neighbour
from marketplace.recommending.neighbours import LOOKS_BACK
from marketplace.tasks import registry
from marketplace.tasks.task import Task

SHOWN = 6
MOST_USED = 50  # of a workspace's models, whose neighbours are looked at
MOST_WEIGHED = 60  # models, of which the first that may be shown are
MOST_POPULAR = 40


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A model, and why: the one that the workspace uses, or else the task whose popular models it is among."""

    model: Model
    because: Model | None
    task: Task


def used_with(model: Model, reader: Reader, count: int = SHOWN) -> list[Model]:
    """What is used by those who use the model, the most alike first; of it what the visitor may see and call."""
    others = list(Neighbour.objects.filter(model=model).order_by("-likeness", "other").values_list("other", flat=True))
    found = offered(reader).in_bulk(others)
    return [found[pk] for pk in others if pk in found][:count]


def suggestions(reader: Reader, now: datetime, count: int = SHOWN) -> list[Suggestion]:
    """What the workspace does not use yet and may want: neighbours of what it uses, then what is popular of the same tasks.

    Empty for a workspace that used nothing lately.
    """
    answered = customers.used_by(reader.workspace_id, now - LOOKS_BACK)
    used = _known(reader, answered)
    if not used:
        return []
    found = _alike(reader, {pk: answered[model.slug] for pk, model in used.items()}, used)
    if len(found) < count:
        known = set(used) | {one.model.pk for one in found}
        found += [one for one in _popular(reader, list(used.values())) if one.model.pk not in known]
    return found[:count]


def offered(reader: Reader) -> QuerySet[Model]:
    """What may be recommended to them: listed for them, with a version that answers, and no date on which it goes."""
    goes = Retirement.objects.filter(model=OuterRef("pk"), version=None)
    return (
        listed(reader)
        .filter(~Exists(goes))
        .exclude(live_version=None)
        .exclude(listing__requests__gt=0, listing__p50_ms=None)  # it was asked and never answered
    )


def _alike(reader: Reader, answered: Mapping[str, int], used: Mapping[str, Model]) -> list[Suggestion]:
    """By the sum of their likeness with each used model, times the logarithm of how much that is used."""
    most = sorted(answered, key=lambda pk: (-answered[pk], pk))[:MOST_USED]
    total: dict[str, float] = defaultdict(float)
    reason: dict[str, tuple[float, str]] = {}
    rows = Neighbour.objects.filter(model__in=most).exclude(other__in=used).order_by("model", "other")
    for model, other, likeness in rows.values_list("model", "other", "likeness"):
        weight = likeness * math.log1p(answered[model])
        total[other] += weight
        reason[other] = max(reason.get(other, (0.0, "")), (weight, model))
    best = sorted(total, key=lambda pk: (-total[pk], pk))[:MOST_WEIGHED]
    found = offered(reader).exclude(publisher_id=reader.workspace_id).in_bulk(best)
    return [Suggestion(found[pk], used[reason[pk][1]], registry.get(found[pk].task)) for pk in best if pk in found]


def _popular(reader: Reader, used: list[Model]) -> list[Suggestion]:
    """The most used models of the tasks that the workspace uses."""
    tasks = sorted({model.task for model in used if model.task in registry.TASKS})
    if not tasks:
        return []
    query = Query("", {"task": tasks}, "used", live=True)
    models = search.search(query, reader, count=MOST_POPULAR, counted=False).models
    kept = offered(reader).exclude(publisher_id=reader.workspace_id).in_bulk([model.pk for model in models])
    return [Suggestion(kept[one.pk], None, registry.get(one.task)) for one in models if one.pk in kept]


def _known(reader: Reader, slugs: Mapping[str, int]) -> dict[str, Model]:
    """The models of these names that the reader may still see, by their id."""
    names = {slug.partition("/")[2] for slug in slugs}
    return {model.pk: model for model in visible(reader).filter(name__in=names) if model.slug in slugs}
