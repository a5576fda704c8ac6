"""Usage that Stripe took and dropped afterwards, which it tells in thin events: counts, and samples only."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from billing.stripe import reconciliation
from billing.stripe.client import client

log = logging.getLogger(__name__)
SKEW = timedelta(minutes=15)  # between Stripe's clock and ours


def usage_dropped(event_id: str) -> None:
    """All days are compared of which reports were sent in the event's window, and those of its samples."""
    told: Any = client().v2.core.events.retrieve(event_id).to_dict().get("data") or {}
    kinds = (told.get("reason") or {}).get("error_types") or []
    samples = [
        error["request"]["identifier"]
        for kind in kinds
        for error in kind.get("sample_errors") or []
        if error.get("request") and error["request"].get("identifier")
    ]
    which = Q(identifier__in=samples)
    if told.get("validation_start") and told.get("validation_end"):
        start, end = _moment(told["validation_start"]), _moment(told["validation_end"])
        which |= Q(sent_at__gte=start - SKEW, sent_at__lte=end + SKEW)
    days = reconciliation.suspect(which, timezone.now())
    counts = {kind.get("code"): kind.get("error_count") for kind in kinds}
    log.error("stripe dropped usage (%s): %s days are compared", counts, days)


def _moment(given: str | datetime) -> datetime:
    return given if isinstance(given, datetime) else datetime.fromisoformat(given)
