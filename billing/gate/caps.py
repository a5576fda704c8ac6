"""Spending caps of keys."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from billing.errors import MoneyInvalid
from billing.gate.models import Cap
from portal.accounts.models import Key
from portal.kit.caches import RecentValues


def set_cap(key: Key, limit_nanos: int) -> Cap:
    """Caps what the key may ever spend. Raises MoneyInvalid below what it has spent or been lent already."""
    with transaction.atomic():
        cap, new = Cap.objects.select_for_update().get_or_create(key=key, defaults={"limit_nanos": limit_nanos})
        if not new:
            if limit_nanos < cap.used_nanos:
                raise MoneyInvalid("The cap is below what this key has used already.", param="cap")
            cap.limit_nanos = limit_nanos
            cap.save(update_fields=["limit_nanos"])
    _capped.forget(key.pk)
    return cap


_capped: RecentValues[str, bool] = RecentValues(
    lambda key_id: Cap.objects.filter(pk=key_id).exists(), settings.CATALOG_MAX_AGE_S
)


def is_capped(key_id: str) -> bool:
    """Whether the key has a cap of its own, at most a second old."""
    return bool(key_id) and _capped.get(key_id)
