"""What billing does later. Each job may run twice, late, or beside itself."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from billing.gate import leases
from billing.metering import rollups


@shared_task
def settle_leases() -> None:
    """Leases of processes that died: into the ledger."""
    leases.sweep(timezone.now())


@shared_task
def roll_up_usage() -> None:
    """Usage of the open hours: into rollups."""
    rollups.roll_up(timezone.now())
