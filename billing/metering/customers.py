"""Who used a model, and since when: by the sums of usage, so that it is known of old times too."""

from __future__ import annotations

from datetime import datetime

from billing.metering.models import Rollup, UsageEvent
from billing.metering.rollups import hour_of


def since(model: str, moment: datetime) -> set[str]:
    """The workspaces that used the model (publisher/name) since then, to the hour."""
    used = Rollup.objects.filter(hour__gte=hour_of(moment), model=model)
    return set(used.order_by().values_list("workspace_id", flat=True).distinct())


def used_before(workspace_id: str, model: str, moment: datetime) -> bool:
    """Whether the workspace used the model before this very moment."""
    hour = hour_of(moment)
    own = {"workspace_id": workspace_id, "model": model}
    return (
        Rollup.objects.filter(hour__lt=hour, **own).exists()
        or UsageEvent.objects.filter(recorded_at__gte=hour, recorded_at__lt=moment, **own).exists()
    )
