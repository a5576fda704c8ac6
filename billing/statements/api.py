"""GET /v1/usage"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils.dateparse import parse_datetime
from rest_framework.request import Request

from billing import money
from billing.metering.models import UsageEvent
from billing.statements import usage
from portal.accounts.wire.answers import json_answer
from portal.accounts.wire.view import KeyedView
from portal.kit.errors import Problem


class UsageInvalid(Problem):
    """A parameter that does not fit."""

    status = 422
    code = "input_invalid"


class UsageList(KeyedView):
    """The workspace's usage events, the newest first: ?since=&model=&key=&limit=&cursor="""

    scope = "usage"

    def get(self, request: Request) -> HttpResponse:
        given = request.query_params
        workspace_id, model, key_id = self.caller.workspace_id, given.get("model", ""), given.get("key", "")
        since = _since(given.get("since", ""))
        found = usage.events(workspace_id, model=model, key_id=key_id, since=since)
        page = usage.page(found, given.get("cursor", ""), _limit(given.get("limit", "")))
        total = usage.totals(workspace_id, since, model=model, key_id=key_id).cost_nanos
        return json_answer(
            {
                "object": "list",
                "data": [_shown(event) for event in page.events],
                "has_more": bool(page.next_cursor),
                "next_cursor": page.next_cursor or None,
                "total_nanos": total,
                "total_cost": money.decimal(total),
            }
        )


def _shown(event: UsageEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "object": "usage_event",
        "request_id": event.request_id,
        "operation_id": event.operation_id or None,
        "status": event.status,
        "created_at": event.recorded_at.isoformat(),
        "model": event.model,
        "key": event.key_id or None,
        "protocol": event.protocol,
        "units": event.units,
        "price": event.price_id or None,
        "cost_nanos": event.cost_nanos,
        "cost": money.decimal(event.cost_nanos),
        "latency_ms": event.latency_ms,
        "first_token_ms": event.first_ms,
    }


def _since(text: str) -> datetime:
    if not text:
        return usage.ALWAYS
    try:
        moment = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageInvalid("since must be a time with its zone, like 2026-01-31T12:00:00Z.", param="since")
    return moment


def _limit(text: str) -> int:
    if not text:
        return usage.PAGE
    if not text.isdecimal() or not 1 <= int(text) <= usage.MOST_A_PAGE:
        raise UsageInvalid(f"limit must be 1 to {usage.MOST_A_PAGE}.", param="limit")
    return int(text)
