"""One request's record, found by any of the ids that its caller may have."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db.models import Max
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from billing import money
from billing.metering.log import Log
from billing.metering.models import Archive, UsageEvent
from billing.prices.models import Price
from billing.statements import api
from portal.accounts.models import Key
from portal.accounts.wire.answers import json_answer
from portal.accounts.wire.view import KeyedView
from portal.kit import ids
from portal.kit.errors import Problem

LONGEST_REQUEST = timedelta(hours=1)  # from its begin to its record
LONGEST_OPERATION = timedelta(days=2)  # a batch ends after a day, and a prediction does not wait longer
MOST_ATTEMPTS = 100
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
            raise GenerationMissing(_missing(self.caller.workspace_id, generation_id))
        event = max(attempts, key=lambda one: (one.cost_nanos > 0, one.recorded_at))
        return json_answer(_shown(event, attempts))


def found(workspace_id: str, some_id: str) -> list[UsageEvent]:
    """The events of the request, the oldest first, more than one where attempts were repeated; of this workspace only."""
    made_at = ids.made_at(some_id)
    if made_at is not None and made_at > timezone.now() + _SKEW:
        return []
    if some_id.startswith("use_"):
        # Its id is made when it is recorded.
        stored = UsageEvent.objects.filter(workspace_id=workspace_id, pk=some_id)
        return list(stored) or _archived(workspace_id, made_at, LONGEST_REQUEST, id=some_id)
    named = UsageEvent.objects.of_operations(some_id).filter(workspace_id=workspace_id)
    attempts = list(named.order_by("recorded_at", "id")[:MOST_ATTEMPTS])
    if not some_id.startswith("req_"):
        # Its months may be in the archive and in the database.
        return [*_archived(workspace_id, made_at, LONGEST_OPERATION, operation_id=some_id), *attempts]
    if attempts or made_at is None:
        return attempts
    # The id says when the request began: its own time is looked through, by the index of the workspace's usage.
    return list(islice(_around(workspace_id, made_at, LONGEST_REQUEST, request_id=some_id).oldest_first(), 1))


def _archived(workspace_id: str, begun: datetime | None, lasts: timedelta, **which: str) -> list[UsageEvent]:
    if begun is None:
        return []
    return list(islice(_around(workspace_id, begun, lasts, **which).archived(), MOST_ATTEMPTS))


def _around(
    workspace_id: str, begun: datetime, lasts: timedelta, id: str = "", request_id: str = "", operation_id: str = ""
) -> Log:
    return Log(workspace_id, begun - _SKEW, begun + lasts, id=id, request_id=request_id, operation_id=operation_id)


def _missing(workspace_id: str, some_id: str) -> str:
    """Of a name that says no time, the archive cannot be asked."""
    missing = "There is no such request in this workspace; its record may be a moment away."
    last = Archive.objects.filter(first_workspace__lte=workspace_id, last_workspace__gte=workspace_id)
    archived = last.aggregate(at=Max("last_at"))["at"] if ids.made_at(some_id) is None else None
    if archived is None:
        return missing
    return (
        f"{missing} Usage until {archived:%Y-%m} is archived, and there an operation id of your own is not looked for: "
        "ask by the id of the request (req_…) or of its usage (use_…)."
    )


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
        "paid": {funding: money.decimal(nanos) for funding, nanos in event.paid.items()},
        "attempts": len(attempts),
    }
