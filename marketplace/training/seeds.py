"""The starter models of an installation."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from billing import money
from billing.prices import book, publishing
from marketplace.catalog.listings import relist
from marketplace.catalog.models import Model
from marketplace.training import runs
from marketplace.training.charges import PRODUCT
from marketplace.training.models import Run, RunState
from marketplace.training.starters.registry import STARTERS, by_name
from portal.accounts.models import Workspace


def seed_price() -> None:
    """A price for the training of one's own, where there is none yet."""
    if book.current(PRODUCT) is None:
        rates = {"millisecond": book.rate("millisecond", money.parse(settings.TRAINING_PRICE_USD))}
        publishing.publish(PRODUCT, rates, used=False, confirmed=True)


def seed_starters(publisher: Workspace) -> list[Model]:
    """Makes the starters that are missing, each with a price, and queues a run of those that a new installation has at first.

    The ones that are there stay as they are, but for what they do and in which languages.
    """
    seed_price()
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
                    "languages": " ".join(starter.languages),
                },
            )
            if new:
                rates = {unit: book.rate(unit, money.parse(usd)) for unit, usd in starter.prices.items()}
                publishing.publish(model.pk, rates)
                relist(model.pk)
                if starter.at_first:
                    train_starter(model)
            elif (model.task, model.languages) != (starter.task, " ".join(starter.languages)):
                model.task, model.languages = starter.task, " ".join(starter.languages)
                model.save(update_fields=["task", "languages"])
        models.append(model)
    return models


def train_starter(model: Model) -> Run:
    """Queues a run of the starter that this model is, or gives the one that is queued or running. Raises KeyError for another."""
    starter = by_name(model.name)
    with transaction.atomic():
        Model.objects.select_for_update().get(pk=model.pk)
        waiting = model.runs.filter(state__in=(RunState.QUEUED, RunState.RUNNING)).first()
        return waiting or runs.queue(model, starter.recipe, starter.dataset, starter.params)
