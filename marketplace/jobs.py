"""What the marketplace does later. Each job may run twice, late, or beside itself."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from marketplace.catalog import listings, meaning, pricing, retiring, takedowns
from marketplace.publishing import imports, submitting
from marketplace.recommending import neighbours
from marketplace.reviews import reviewing
from marketplace.training import charges, datasets, finetuning, keeping, runs, searching, trainer


@shared_task
def train_queued() -> None:
    """Trains the oldest queued run; then wakes the next. Does nothing while another run is being trained."""
    run = runs.claim(timezone.now())
    if run is not None:
        trainer.train(run)
        train_queued.delay()


@shared_task
def bring_in_models() -> None:
    """Models that the console asked for, one after the other."""
    asked = imports.claim(timezone.now())
    if asked is not None:
        imports.work(asked)
        bring_in_models.delay()


@shared_task
def charge_runs() -> None:
    """Runs that ended and were not billed or published, searches that ended without a winner, since a process died."""
    charges.charge_ended(timezone.now())
    searching.tend_open()
    finetuning.publish_waiting()


@shared_task
def purge_runs() -> None:
    """Trained models that nobody published in time."""
    keeping.sweep(timezone.now())


@shared_task
def examine_datasets() -> None:
    """Uploads that are complete; drops those that were given up."""
    datasets.drop_unfinished(timezone.now())
    datasets.examine_waiting()
    finetuning.validate_waiting()


@shared_task
def announce_retirements() -> None:
    """Models and versions that will go: to those who used them lately."""
    retiring.tell(timezone.now())


@shared_task
def tell_take_downs() -> None:
    """What an operator took down: to those who used it lately."""
    takedowns.tell(timezone.now())


@shared_task
def announce_prices() -> None:
    """Prices that will rise: to those who used the models lately."""
    pricing.announce(timezone.now())


@shared_task
def keep_listings() -> None:
    """What the catalog is searched by: of models that came past it, and of prices that began."""
    listings.keep(timezone.now())


@shared_task
def drop_submissions() -> None:
    """Models that were sent and forgotten."""
    submitting.drop_forgotten(timezone.now())


@shared_task
def keep_neighbours() -> None:
    """Which models are used with which, from what workspaces used lately."""
    neighbours.keep(timezone.now())


@shared_task
def keep_meanings() -> None:
    """What the encoder that the operator chose makes of the catalog's texts."""
    meaning.keep()


@shared_task
def count_reviews() -> None:
    """How models are judged, for the catalog to sort by."""
    reviewing.count_all()
