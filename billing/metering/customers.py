"""Who used a model, and since when: by the sums of usage, so that it is known of old times too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import F, Sum

from billing.metering.models import DayRollup, Rollup, UsageEvent
from billing.metering.rollups import hour_of
from billing.metering.sums import day_of


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


def baskets(moment: datetime) -> Iterator[tuple[str, str]]:
    """(workspace, model) of all that was answered since that day, a workspace's together, what it used most first.

    What a workspace uses of its own publishing does not count. Of the last seconds, which are not folded yet, nothing.
    """
    used = DayRollup.objects.filter(hour__gte=day_of(moment)).exclude(seller_id=F("workspace_id"))
    rows = used.order_by().values_list("workspace_id", "model").annotate(answered=Sum(F("requests") - F("failed")))
    for workspace, model, _answered in (
        rows.filter(answered__gt=0).order_by("workspace_id", "-answered", "model").iterator()
    ):
        yield workspace, model


def used_by(workspace_id: str, moment: datetime) -> dict[str, int]:
    """Model → requests of the workspace that it answered since that day; of the last seconds nothing."""
    used = DayRollup.objects.filter(workspace_id=workspace_id, hour__gte=day_of(moment))
    rows = used.order_by().values_list("model").annotate(answered=Sum(F("requests") - F("failed")))
    return dict(rows.filter(answered__gt=0))


def sold_by(seller_id: str, moment: datetime) -> dict[str, int]:
    """Model → requests to it since then, to the hour, whoever called; of the models of one publisher."""
    used = Rollup.objects.filter(seller_id=seller_id, hour__gte=hour_of(moment)).order_by()
    return dict(used.values_list("model").annotate(Sum("requests")))
