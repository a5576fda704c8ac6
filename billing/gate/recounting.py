"""Caps of keys and members that are new: requests that were let in before are still to be counted.

Such a request runs on a lease that its cap does not bind, so nobody counts it when that lease closes. Until all of them
have ended, a job counts those caps anew.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from billing.gate import caps
from billing.gate.models import Budget

NEW = timedelta(minutes=30)  # longer than any request that was let in before
WITH_ITS_KEY = timedelta(seconds=5)  # a cap that was made with its key has nothing before it


def recount(now: datetime) -> int:
    """Counts the new caps; how many counted too little. One that is passed then leaves nothing."""
    fresh = Budget.objects.filter(stops=True, created_at__gt=now - NEW)
    of_keys = fresh.filter(key__isnull=False, created_at__gt=F("key__created_at") + WITH_ITS_KEY)
    return sum(_recount(cap) for cap in [*of_keys, *fresh.filter(member__isnull=False)])


def _recount(cap: Budget) -> bool:
    with transaction.atomic():
        caps.lock_all_lent(cap.workspace_id)
        found = Budget.objects.select_for_update().filter(pk=cap.pk, stops=True).first()
        if found is None:
            return False
        used = min(caps.counted(found), found.limit_nanos)
        return bool(Budget.objects.filter(pk=found.pk, used_nanos__lt=used).update(used_nanos=used))
