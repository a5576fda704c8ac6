"""An operation may take several attempts, when processes die. It is billed once."""

from __future__ import annotations

from datetime import datetime

from billing.metering.models import Checkpoint, UsageEvent


def take_over(operation_id: str, since: datetime | None = None) -> bool:
    """Whether an attempt before this one was billed; then this one is free. `since`: when the operation began.

    Of one that died in the middle of a stream, the checkpoint is dropped: the attempt that takes over is billed whole.
    """
    Checkpoint.objects.filter(usage__operation_id=operation_id).delete()
    billed = UsageEvent.objects.of_operations(operation_id).filter(cost_nanos__gt=0)
    return (billed if since is None else billed.filter(recorded_at__gte=since)).exists()
