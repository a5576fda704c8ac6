"""Streams whose process died: billed once, as far as their last checkpoint."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from billing.metering import months
from billing.metering.models import Checkpoint, Status, UsageEvent
from billing.metering.recorder import Usage
from billing.prices.month import Charge
from portal.kit import ids

_COLUMNS = {field.attname for field in UsageEvent._meta.concrete_fields}


def settle(lease_id: str, before: datetime | None = None) -> int:
    """Turns the checkpoints that name the lease into usage events; how many. Runs in the caller's transaction.

    `before`: only those saved before. A stream that ended took its checkpoint along, so none is billed twice.
    """
    with transaction.atomic():
        left = Checkpoint.objects.select_for_update().filter(lease_id=lease_id)
        if before is not None:
            left = left.filter(saved_at__lt=before)
        found = list(left)
        now = timezone.now()
        usages = [replace(Usage(**checkpoint.usage), status=Status.INTERRUPTED) for checkpoint in found]
        in_tiers = [usage for usage in usages if usage.product]
        charges = iter(_charge(in_tiers, now))
        for usage in usages:
            given = {name: value for name, value in asdict(usage).items() if name in _COLUMNS}
            if usage.product:
                charge = next(charges)
                given |= {"cost_nanos": charge.cost_nanos, "tier_from": charge.tier_from}
            given["rest_nanos"], given["owed_nanos"] = usage.rests_of(given["cost_nanos"])
            UsageEvent.objects.create(**given, id=ids.make("use"), recorded_at=now)
        Checkpoint.objects.filter(pk__in=[checkpoint.pk for checkpoint in found]).delete()
    return len(found)


def _charge(usages: list[Usage], now: datetime) -> list[Charge]:
    if not usages:
        return []
    with connection.cursor() as cursor:
        return months.charge(cursor, "%s", usages, now)
