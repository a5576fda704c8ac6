"""A workspace's own models: how they do, and what may be changed about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from billing.earnings import figures
from billing.metering import customers
from marketplace.catalog import takedowns, visibility
from marketplace.catalog.models import Model
from marketplace.catalog.visibility import Reader
from marketplace.publishers import rights

LOOKS_BACK = timedelta(days=30)
MOST = 500


@dataclass(frozen=True, slots=True)
class Own:
    """A model, the requests to it and what it earned after the fee, in the last days."""

    model: Model
    requests: int
    earned_nanos: int
    taken: bool  # an operator took it down


def models(reader: Reader, now: datetime) -> list[Own]:
    """The first MOST models of the reader's workspace that the reader sees, by name."""
    return figures_of(list(visibility.own(reader).order_by("name")[:MOST]), reader.workspace_id, now)


def figures_of(found: Sequence[Model], workspace_id: str, now: datetime) -> list[Own]:
    """How these models of the workspace do."""
    since = now - LOOKS_BACK
    requests = customers.sold_by(workspace_id, since)
    earned = {row.label: row.net_nanos for row in figures.by_model(workspace_id, since, now)}
    down = set(takedowns.hiding().filter(model__in=found).values_list("model", flat=True))
    return [Own(one, requests.get(one.slug, 0), earned.get(one.slug, 0), one.pk in down) for one in found]


def change(model: Model, said: Mapping[str, str]) -> None:
    """Title, summary, card, licence, languages and visibility, as `said`; what is not named stays.

    Raises what rights.check raises, and then changes nothing.
    """
    with transaction.atomic():
        locked = Model.objects.select_for_update(of=("self",)).select_related("publisher").get(pk=model.pk)
        rights.check(locked.publisher, said.get("visibility", locked.visibility), locked.visibility)
        for name, value in said.items():
            setattr(locked, name, value)
        locked.save()
