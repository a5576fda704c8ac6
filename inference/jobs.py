"""What inference does later. Each job may run twice, late, or beside itself."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from inference.idempotency import keeping
from inference.routing import figures


@shared_task
def keep_figures() -> None:
    """Sums up how models and replicas did in the last minutes, from the usage events."""
    figures.sum_up(timezone.now())


@shared_task
def purge_kept_answers() -> None:
    """Drops answers under Idempotency-Keys that are too old to be asked for."""
    keeping.purge(timezone.now())
