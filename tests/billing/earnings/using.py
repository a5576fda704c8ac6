"""Usage of a publisher's models, as the recorder would leave it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from billing.metering.models import UsageEvent
from portal.accounts.models import User, Workspace
from portal.kit import ids

HOUR = timedelta(hours=1)
NOW = timezone.now().replace(minute=30, second=0, microsecond=0)


def used(
    by: User, seller: Workspace | None, nanos: int, *, funding: str = "receivable", at: datetime | None = None,
    model: str = "olga/net", rest: int = 0,
) -> UsageEvent:  # fmt: skip
    """A prediction of an hour ago, or of then."""
    return UsageEvent.objects.create(
        id=ids.make("use"), request_id="req_x", workspace_id=by.personal_workspace.pk, model=model, version_id="v",
        protocol="openai", units={"request": 1}, price_id="p", cost_nanos=nanos, rest_nanos=rest, lease_id="lease_x",
        funding=funding, latency_ms=1, seller_id=seller.pk if seller else "", recorded_at=at or NOW - HOUR,
    )  # fmt: skip
