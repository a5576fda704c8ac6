"""GET /v1/usage"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, islice
from types import SimpleNamespace
from typing import Any

import orjson
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from rest_framework.request import Request

from billing import money
from billing.metering.log import ALWAYS, LATER, Log
from billing.metering.models import UsageEvent
from billing.statements import usage
from billing.statements.periods import moment_of
from billing.statements.usage import By, Share
from portal.accounts.wire.answers import json_answer
from portal.accounts.wire.view import KeyedView
from portal.kit.errors import Problem

# What `shown` reads, beside the event's place.
_SHOWN = (
    "request_id", "operation_id", "status", "model", "key_id", "protocol", "units", "price_id", "factor_bp", "cost_nanos",
    "latency_ms", "first_ms",
)  # fmt: skip
GROUPS = (By.DAY, By.MODEL, By.KEY)


class UsageInvalid(Problem):
    """A parameter that does not fit."""

    status = 422
    code = "input_invalid"


class UsageList(KeyedView):
    """The workspace's usage events, the newest first.

    ?since=&until=&model=&key= choose, limit= and cursor= page; format=jsonl gives all, group_by= their sums instead.
    """

    scope = "usage"

    def get(self, request: Request) -> HttpResponse | StreamingHttpResponse:
        given = request.query_params
        workspace_id, model, key_id = self.caller.workspace_id, given.get("model", ""), given.get("key", "")
        since, until = _moment(given, "since", ALWAYS), _moment(given, "until", LATER)
        if "group_by" in given:
            return _grouped(workspace_id, given, since, until)
        found = Log(workspace_id, since, until, model, key_id)
        if given.get("format", "json") == "jsonl":
            lines = _lines(found, given.get("cursor", ""))
            first = next(lines, b"")  # what keeps it from being read is an answer with its status
            return StreamingHttpResponse(chain([first], lines), content_type="application/x-ndjson")
        if given.get("format", "json") != "json":
            raise UsageInvalid("format is json or jsonl.", param="format")
        page = usage.page(found, given.get("cursor", ""), _limit(given.get("limit", "")))
        total = usage.totals(workspace_id, since, until, model=model, key_id=key_id).cost_nanos
        return json_answer(
            {
                "object": "list",
                "data": [shown(event) for event in page.events],
                "has_more": bool(page.next_cursor),
                "next_cursor": page.next_cursor or None,
                "total_nanos": total,
                "total_cost": money.decimal(total),
            }
        )


def shown(event: UsageEvent | SimpleNamespace) -> dict[str, Any]:
    """The event for programs."""
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
        "factor_bp": event.factor_bp,
        "cost_nanos": event.cost_nanos,
        "cost": money.decimal(event.cost_nanos),
        "latency_ms": event.latency_ms,
        "first_token_ms": event.first_ms,
    }


def _lines(found: Log, cursor: str) -> Iterator[bytes]:
    """All of them, or those after the cursor, the newest first, some in memory at a time. Raises CursorInvalid."""
    names = ("recorded_at", "id", *_SHOWN)
    rows = found.rows(*_SHOWN, newest_first=True)
    if cursor:
        at, last = usage.place_of(cursor)
        until = min(found.until, at + timedelta(microseconds=1))
        beyond = replace(found, until=until).rows(*_SHOWN, newest_first=True)
        rows = (row for row in beyond if row[:2] < (at, last))
    while page := [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in islice(rows, usage.MOST_A_PAGE)]:
        yield b"".join(orjson.dumps(shown(event)) + b"\n" for event in page)


def _grouped(workspace_id: str, given: Any, since: datetime, until: datetime) -> HttpResponse:
    """The sums of a time; without `since`, of this month."""
    by = given["group_by"]
    if by not in GROUPS:
        raise UsageInvalid(f"group_by is one of {', '.join(GROUPS)}.", param="group_by")
    mixed = [name for name in ("model", "key", "cursor", "limit", "format") if name in given]
    if mixed:
        raise UsageInvalid(f"group_by sums all usage of the time: leave {mixed[0]} out.", param=mixed[0])
    now = timezone.now()
    start = since if since != ALWAYS else now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = min(until, now)
    shares = usage.breakdown(workspace_id, start, end, by) if start < end else []
    total = sum(share.cost_nanos for share in shares)
    return json_answer(
        {
            "object": "list",
            "group_by": by,
            "since": start.isoformat(),
            "until": end.isoformat(),
            "data": [_share(share, by) for share in shares],
            "total_nanos": total,
            "total_cost": money.decimal(total),
        }
    )


def _share(share: Share, by: str) -> dict[str, Any]:
    return {
        "object": "usage_sum",
        by: share.name or None,
        "requests": share.requests,
        "failed": share.failed,
        "units": share.units,
        "cost_nanos": share.cost_nanos,
        "cost": money.decimal(share.cost_nanos),
        "metered_nanos": share.metered_nanos,
    }


def _moment(given: Any, name: str, otherwise: datetime) -> datetime:
    text = given.get(name, "")
    if not text:
        return otherwise
    moment = moment_of(text)
    if moment is None:
        raise UsageInvalid(f"{name} must be a time with its zone, like 2026-01-31T12:00:00Z.", param=name)
    return moment


def _limit(text: str) -> int:
    if not text:
        return usage.PAGE
    if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= usage.MOST_A_PAGE:
        raise UsageInvalid(f"limit must be 1 to {usage.MOST_A_PAGE}.", param="limit")
    return int(text)
