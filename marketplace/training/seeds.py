"""The starter models of a new installation."""

from __future__ import annotations

from django.db import transaction

from billing import money
from billing.prices import book, publishing
from marketplace.catalog.models import Model
from marketplace.training import runs
from marketplace.training.starters import STARTERS
from portal.accounts.models import Workspace


def seed_starters(publisher: Workspace) -> list[Model]:
    """Makes the starters that are missing, each with a price and a queued run; the ones that are there stay as they are."""
    models = []
    for starter in STARTERS:
        with transaction.atomic():
            model, new = Model.objects.get_or_create(
                publisher=publisher,
                name=starter.name,
                defaults={
                    "task": starter.task,
                    "title": starter.title,
                    "summary": starter.summary,
                    "card": starter.about,
                    "licence": starter.licence,
                },
            )
            if new:
                rates = {unit: book.rate(unit, money.parse(usd)) for unit, usd in starter.prices.items()}
                publishing.publish(model.pk, rates)
                runs.queue(model, starter.recipe, starter.dataset, starter.params)
        models.append(model)
    return models
