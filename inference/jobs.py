"""What inference does later. Each job may run twice, late, or beside itself."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from inference.api.openai.batches import ENDPOINTS
from inference.idempotency import keeping
from inference.later import batches, deliveries, predictions
from inference.routing import figures


@shared_task
def keep_figures() -> None:
    """Sums up how models and replicas did in the last minutes, from the usage events."""
    figures.sum_up(timezone.now())


@shared_task
def make_predictions() -> None:
    """Queued predictions, one after the other until none is left; several workers share them."""
    while (prediction := predictions.claim(timezone.now())) is not None:
        predictions.run(prediction)
        send_webhooks.delay()


@shared_task
def work_on_batches() -> None:
    """A round of the oldest open batch, and the next round as another message, so that others get their turn."""
    batch = batches.claim(timezone.now())
    if batch is not None:
        if batches.work(batch, ENDPOINTS):
            work_on_batches.delay()
        else:
            send_webhooks.delay()


@shared_task
def send_webhooks() -> None:
    """Messages that are due."""
    deliveries.send_due(timezone.now())


@shared_task
def purge_predictions() -> None:
    """Forgets predictions that ended too long ago."""
    predictions.purge(timezone.now())


@shared_task
def purge_kept_answers() -> None:
    """Drops answers under Idempotency-Keys that are too old to be asked for."""
    keeping.purge(timezone.now())
