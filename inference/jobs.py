"""What inference does later. Each job may run twice, late, or beside itself.

Predictions and batches take long. Of the worker's threads they may have so many and no more: money and webhooks go on.
"""

from __future__ import annotations

import threading

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from inference.api.openai.batches import ENDPOINTS
from inference.golden import running
from inference.idempotency import keeping
from inference.later import deliveries, notices, predictions, rounds
from inference.rehearsal import rehearsing
from inference.routing import figures, rollbacks
from marketplace.publishing import review

_prediction_threads = threading.BoundedSemaphore(settings.PREDICTION_THREADS)
_batch_threads = threading.BoundedSemaphore(settings.BATCH_THREADS)


@shared_task
def keep_figures() -> None:
    """Sums up how models and replicas did in the last minutes, from the usage events."""
    figures.sum_up(timezone.now())


@shared_task
def watch_versions() -> None:
    """Calls of a version that fails clearly more often than the one before it go back to that one."""
    rollbacks.judge(timezone.now())


@shared_task
def tell_catalog() -> None:
    """How much models are used and how fast they are, for the catalog to sort by."""
    figures.tell_catalog(timezone.now())


@shared_task
def make_predictions() -> None:
    """Queued predictions, one after the other until none is left; several threads and workers share them.

    Who finds no thread free leaves them to those at work, which look again after they have given theirs back.
    """
    while predictions.waiting(timezone.now()) and _prediction_threads.acquire(blocking=False):
        try:
            prediction = predictions.claim(timezone.now())
            if prediction is not None:
                predictions.run(prediction)
        finally:
            _prediction_threads.release()
        send_webhooks.delay()


@shared_task
def work_on_batches() -> None:
    """Rounds of the oldest open batches until none is left to do now."""
    while rounds.waiting(timezone.now()) and _batch_threads.acquire(blocking=False):
        try:
            batch = rounds.claim(timezone.now())
            if batch is not None:
                rounds.work(batch, ENDPOINTS)
        finally:
            _batch_threads.release()
        send_webhooks.delay()


@shared_task
def send_webhooks() -> None:
    """Messages that are due, and what billing has to tell."""
    notices.hand_on()
    deliveries.send_due(timezone.now())


@shared_task
def rehearse_submissions() -> None:
    """The oldest model that a publisher sent; then the next. Does nothing while another is being rehearsed."""
    submission = review.claim(timezone.now())
    if submission is not None:
        rehearsing.rehearse(submission)
        rehearse_submissions.delay()


@shared_task
def purge_predictions() -> None:
    """Forgets predictions that ended too long ago."""
    predictions.purge(timezone.now())


@shared_task
def purge_kept_answers() -> None:
    """Drops answers under Idempotency-Keys that are too old to be asked for."""
    keeping.purge(timezone.now())


@shared_task
def run_golden_sets() -> None:
    """Rounds of the open runs of golden sets until none is left to do now; they share the threads of batches."""
    while running.waiting(timezone.now()) and _batch_threads.acquire(blocking=False):
        try:
            run = running.claim(timezone.now())
            if run is not None:
                running.work(run)
        finally:
            _batch_threads.release()
        send_webhooks.delay()
