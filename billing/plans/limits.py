"""Requests a minute: a key's own, times its workspace's plan, or few while an invoice is overdue."""

from __future__ import annotations

from django.conf import settings

from billing.plans import dunning, subscribing
from billing.plans.models import DunningStep
from portal.kit.caches import RecentValues

_percents: RecentValues[str, int] = RecentValues(
    lambda workspace_id: subscribing.plan_of(workspace_id).rpm_percent, settings.CATALOG_MAX_AGE_S
)


def requests_a_minute(workspace_id: str, rpm: int) -> int:
    """What a key with `rpm` (0: no limit) may do now, from facts at most a second old."""
    if dunning.step(workspace_id) in (DunningStep.REDUCED, DunningStep.SUSPENDED):
        return min(rpm or dunning.REDUCED_RPM, dunning.REDUCED_RPM)
    return max(rpm * _percents.get(workspace_id) // 100, 1) if rpm else 0


def forget() -> None:
    """Of tests."""
    _percents.forget()
    dunning._steps.forget()
