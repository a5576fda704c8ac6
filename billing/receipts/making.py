"""A workspace's receipt for a time, as bytes that can be sent while they are made."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from billing.metering.log import Log
from billing.receipts import keys
from billing.receipts.chain import Chain
from billing.statements.periods import Period, PeriodInvalid

AT_ONCE = 1_000  # events that are read together: what bounds the memory
# An event is stamped while it is committed: a receipt ends before those that may still be on their way.
SETTLES = timedelta(seconds=5)
_FIELDS = (
    "request_id", "operation_id", "status", "key_id", "model", "version_id", "protocol", "units",
    "price_id", "factor_bp", "tier_from", "cost_nanos", "rest_nanos", "owed_nanos", "funding",
    "latency_ms",
)  # fmt: skip


def closed(period: Period, now: datetime) -> Period:
    """As much of the period as is over. Raises PeriodInvalid where none is."""
    end = min(period.end, now - SETTLES)
    if period.start >= end:
        raise PeriodInvalid(_("A receipt is of the past: let the period begin earlier."), param="from")
    return Period(period.start, end)


def receipt(workspace_id: str, period: Period, now: datetime) -> Iterator[bytes]:
    """The receipt's lines, some at a time. What breaks off has no signature, and does not verify.

    Where usage cannot be read, the first step raises before anything is sent: ArchiveUnreadable.
    """
    key_id, key = keys.current()
    chain = Chain()
    pages = _pages(workspace_id, period)
    first = next(pages, [])
    yield chain.begin(
        {
            "issuer": settings.SITE_URL,
            "workspace": workspace_id,
            "from": _moment(period.start),
            "to": _moment(period.end),
            "made_at": _moment(now),
        }
    )
    for page in itertools.chain([first], pages):
        yield b"".join(chain.add(event) for event in page)
    yield chain.end(key_id, key)


def _pages(workspace_id: str, period: Period) -> Iterator[list[dict[str, Any]]]:
    """The period's events, the oldest first."""
    rows = Log(workspace_id, period.start, period.end).rows(*_FIELDS)
    names = ("recorded_at", "id", *_FIELDS)
    while page := [dict(zip(names, row, strict=True)) for row in islice(rows, AT_ONCE)]:
        for event in page:
            event["recorded_at"] = _moment(event["recorded_at"])
        yield page


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat("T", "microseconds") + "Z"
