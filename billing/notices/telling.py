"""Notices: written in the transaction of what they tell, taken once by who hands them to webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from billing.notices.models import Notice


def tell(workspace_id: str, kind: str, payload: Mapping[str, Any], source: str) -> bool:
    """Writes an event down for the workspace's webhooks. False where this source was told before."""
    said = {"workspace_id": workspace_id, "kind": kind, "payload": payload}
    return Notice.objects.get_or_create(source=source, defaults=said)[1]


def waiting(most: int = 100) -> list[Notice]:
    """Notices that were not handed on yet, the oldest first."""
    return list(Notice.objects.filter(handed_at=None).order_by("created_at")[:most])


def take(notice: Notice) -> bool:
    """Claims a notice, in the transaction that queues its messages. False: somebody else did."""
    return bool(Notice.objects.filter(pk=notice.pk, handed_at=None).update(handed_at=timezone.now()))
