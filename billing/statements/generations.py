"""One request's record, found by any of the ids that its caller may have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from billing.metering.log import Log
from billing.metering.models import UsageEvent
from billing.prices.models import Price
from billing.statements import api
from portal.accounts.models import Key
from portal.accounts.wire.answers import json_answer
from portal.accounts.wire.view import KeyedView
from portal.kit import ids
from portal.kit.errors import Problem

LONGEST_REQUEST = timedelta(hours=1)  # from its begin to its record
_SKEW = timedelta(minutes=1)  # of the clocks of our hosts


class GenerationMissing(Problem):
    """The workspace has no such request."""

    status = 404
    code = "generation_not_found"


class Generation(KeyedView):
    """What one request used and cost.

    By its request id (req_…), prediction id (pred_…), usage event (use_…), or the operation id that its caller gave.
    """

    scope = "usage"

    def get(self, request: Request, generation_id: str) -> HttpResponse:
        attempts = found(self.caller.workspace_id, generation_id)
        if not attempts:
            raise GenerationMissing("There is no such request in this workspace; its record may be a moment away.")
        event = max(attempts, key=lambda one: (one.cost_nanos > 0, one.recorded_at))
        return json_answer(_shown(event, attempts))


def found(workspace_id: str, some_id: str) -> list[UsageEvent]:
    """The events of the request, more than one where attempts were repeated; of this workspace only."""
    if "\0" in some_id:
        return []  # PostgreSQL knows no such text
    events = UsageEvent.objects.filter(workspace_id=workspace_id)
    if some_id.startswith("use_"):
        # Its id is made when it is recorded.
        return list(events.filter(pk=some_id)) or _archived(workspace_id, _begun(some_id, "use"), "id", some_id)
    named = UsageEvent.objects.of_operations(some_id).filter(workspace_id=workspace_id).order_by("recorded_at")[:100]
    begun = None if named else _begun(some_id, "req")
    if begun is None:
        return list(named)
    # The id says when the request began: its own time is looked through, by the index of the workspace's usage.
    near = events.filter(recorded_at__gte=begun - _SKEW, recorded_at__lte=begun + LONGEST_REQUEST)
    first = near.filter(request_id=some_id).order_by("recorded_at", "id").first()
    return [first] if first else _archived(workspace_id, begun, "request_id", some_id)


def _archived(workspace_id: str, begun: datetime | None, field: str, some_id: str) -> list[UsageEvent]:
    if begun is None:
        return []
    events = Log(workspace_id, begun - _SKEW, begun + LONGEST_REQUEST).archived(newest_first=False)
    return list(islice((event for event in events if getattr(event, field) == some_id), 1))


def _begun(some_id: str, prefix: str) -> datetime | None:
    try:
        return datetime.fromtimestamp((ids.parse(some_id, prefix).int >> 80) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _shown(event: UsageEvent, attempts: list[UsageEvent]) -> dict[str, Any]:
    price = Price.objects.filter(pk=event.price_id).first()
    key = Key.objects.filter(pk=event.key_id).first() if event.key_id else None
    return {
        **api.shown(event),
        "object": "generation",
        "usage_event": event.id,
        "version": event.version_id,
        "key": {"id": event.key_id, "name": key.name if key else None} if event.key_id else None,
        "price": {"id": price.pk, "product": price.product, "version": price.version, "rates": price.rates}
        if price
        else None,
        "tier_from": event.tier_from,
        "paid_from": event.funding or None,
        "attempts": len(attempts),
    }
