"""What was spent under a budget, as the hourly sums say: every commit of usage brings its own along."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Sum

from billing.gate.models import Budget
from billing.metering.models import Rollup
from portal.accounts.models import Key


def spent(budget: Budget, since: datetime, until: datetime | None = None) -> int:
    """Nano-dollars that its workspace, member or key spent between two whole hours; until now without `until`."""
    sums = Rollup.objects.filter(hour__gte=since, **_who(budget))
    if until is not None:
        sums = sums.filter(hour__lt=until)
    return int(sums.aggregate(nanos=Sum("cost_nanos", default=0))["nanos"])


def _who(budget: Budget) -> dict[str, Any]:
    who: dict[str, Any] = {"workspace_id": budget.workspace_id}
    if budget.key_id:
        who["key_id"] = budget.key_id
    elif budget.member_id:
        made = Key.objects.filter(workspace_id=budget.workspace_id, created_by=budget.member_id)
        who["key_id__in"] = made.values("pk")
    return who
