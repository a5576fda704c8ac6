"""Alerts: each threshold of a budget is told once a period, a few seconds after it was reached.

What was told stands on the budget and is written with the notices, so it holds whenever a process dies.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction

from billing import money
from billing.gate.models import Budget
from billing.gate.periods import bounds
from billing.gate.spending import spent
from billing.metering.models import Rollup
from billing.metering.rollups import hour_of
from billing.notices import telling
from portal.accounts import mails

KIND = "budget.threshold_reached"
SETTLED = timedelta(seconds=20)  # so long after a period's end it is looked at once more, for its last events
LATELY = timedelta(minutes=30)
EVERYONE_EVERY = timedelta(minutes=10)
_everyone_at: datetime | None = None


def tell(now: datetime) -> int:
    """Tells what was reached; how many thresholds. Looks at who used something lately, and now and then at everyone."""
    global _everyone_at
    budgets = Budget.objects.exclude(thresholds=[])
    if _everyone_at is not None and now - _everyone_at < EVERYONE_EVERY:
        lately = Rollup.objects.filter(hour__gte=hour_of(now - LATELY))
        budgets = budgets.filter(workspace_id__in=lately.values("workspace_id"))
    else:
        _everyone_at = now
    return sum(look_at(budget, now) for budget in list(budgets))


def look_at(budget: Budget, now: datetime) -> int:
    """Tells what was reached of one budget, in the period before too where that has just ended; how many thresholds."""
    start = bounds(budget.period, now)[0]
    told = 0
    if budget.told_since < start:
        end = bounds(budget.period, budget.told_since)[1]
        assert end is not None
        told = _tell(budget.pk, budget.told_since, spent(budget, budget.told_since, end))
        if now < start + SETTLED:
            return told
        Budget.objects.filter(pk=budget.pk, told_since=budget.told_since).update(told=[], told_since=start)
    return told + _tell(budget.pk, start, spent(budget, start))


def reached(budget: Budget, spent_nanos: int) -> list[int]:
    """The thresholds that this is at or beyond."""
    return [percent for percent in budget.thresholds if spent_nanos * 100 >= percent * budget.limit_nanos]


def _tell(budget_id: int, since: datetime, spent_nanos: int) -> int:
    untold = Budget.objects.filter(pk=budget_id, told_since=since)
    seen = untold.first()
    if seen is None or not set(reached(seen, spent_nanos)) - set(seen.told):
        return 0
    with transaction.atomic():
        budget = untold.select_for_update(of=("self",)).select_related("key", "member", "workspace").first()
        if budget is None:
            return 0
        new = [percent for percent in reached(budget, spent_nanos) if percent not in budget.told]
        for percent in new:
            source = f"budget:{budget.pk}:{since:%Y-%m-%d}:{budget.limit_nanos}:{percent}"
            said = _payload(budget, percent, spent_nanos)
            telling.tell(budget.workspace_id, KIND, said, source)
            if percent == new[-1]:  # of several at once each is an event, and the highest is worth a mail
                mails.post(source, budget.workspace_id, "billing/budget_threshold_reached.txt", _letter(budget, said))
        budget.told = sorted({*budget.told, *new})
        budget.save(update_fields=["told"])
    return len(new)


def _payload(budget: Budget, percent: int, spent_nanos: int) -> dict[str, object]:
    start, end = bounds(budget.period, budget.told_since)
    return {
        "budget": budget.pk,
        "name": budget.name,
        "workspace": budget.workspace.slug,
        "for": "key" if budget.key_id else "member" if budget.member_id else "workspace",
        "key": budget.key_id,
        "member": budget.member.email if budget.member else None,
        "period": budget.period,
        "period_start": start.isoformat(),
        "resets_at": end.isoformat() if end else None,
        "stops": budget.stops,
        "threshold_percent": percent,
        "amount": money.decimal(budget.limit_nanos),
        "spent": money.decimal(spent_nanos),
    }


def _letter(budget: Budget, said: Mapping[str, object]) -> dict[str, object]:
    return {
        "budget": budget,
        "percent": said["threshold_percent"],
        "spent": f"${said['spent']}",
        "until": bounds(budget.period, budget.told_since)[1],
    }
