"""Streams whose process died: billed once, as far as their last checkpoint."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from billing.metering.models import Checkpoint, Status, UsageEvent
from portal.kit import ids


def settle(lease_id: str, before: datetime | None = None) -> int:
    """Turns the checkpoints that name the lease into usage events; how many. Runs in the caller's transaction.

    `before`: only those saved before. A stream that ended took its checkpoint along, so none is billed twice.
    """
    with transaction.atomic():
        left = Checkpoint.objects.select_for_update().filter(lease_id=lease_id)
        if before is not None:
            left = left.filter(saved_at__lt=before)
        found = list(left)
        for checkpoint in found:
            usage = {name: value for name, value in checkpoint.usage.items() if name != "checkpointed"}
            UsageEvent.objects.create(
                **{**usage, "status": Status.INTERRUPTED}, id=ids.make("use"), recorded_at=timezone.now()
            )
        Checkpoint.objects.filter(pk__in=[checkpoint.pk for checkpoint in found]).delete()
    return len(found)
