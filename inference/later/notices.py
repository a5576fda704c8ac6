"""What billing has to tell, as messages to the workspace's webhooks: billing stands below and only writes it down."""

from __future__ import annotations

from django.db import transaction

from billing.notices import telling
from inference.later import deliveries


def hand_on() -> int:
    """Queues a message for each notice that was not handed on yet; how many. Each once, also when the process dies."""
    handed = 0
    for notice in telling.waiting():
        with transaction.atomic():
            if telling.take(notice):
                handed += 1
                if notice.kind in deliveries.EVENTS:
                    deliveries.queue(notice.workspace_id, notice.kind, notice.payload)
    return handed
