"""Caps: budgets that stop. Each is exact: what is lent counts until it comes back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import money
from billing.errors import MoneyInvalid
from billing.gate import binding
from billing.gate.binding import Binding
from billing.gate.models import Budget, Lease, Period
from billing.gate.periods import bounds, midnight_after
from billing.gate.spending import spent
from billing.metering.models import UsageEvent
from billing.plans.allowances import lock_fundings
from portal.accounts.models import Key


def set_cap(key: Key, limit_nanos: int, period: str = Period.TOTAL) -> Budget:
    """Caps what the key may spend in a period. Raises MoneyInvalid below what it has spent or been lent in this one."""
    if period not in Period.values:
        raise MoneyInvalid(f"A cap is for one of {', '.join(Period.values)}.", param="/caps")
    with transaction.atomic():
        cap = Budget.objects.filter(key=key, period=period, stops=True).first()
        if cap is None:
            cap = Budget(workspace_id=key.workspace_id, key=key, period=period, thresholds=[])
        impose(cap, limit_nanos, param=f"/caps/{period}")
    return cap


def drop_cap(key: Key, period: str) -> None:
    """The key may spend what its workspace may."""
    Budget.objects.filter(key=key, period=period, stops=True).delete()


def impose(cap: Budget, limit_nanos: int, param: str) -> None:
    """Saves a cap, new or changed; a new one counts what was spent and is lent in its period already.

    In the caller's transaction. Locks all that is lent to the workspace, its accounts and the cap, so that nothing is
    spent, borrowed or given back in between. Raises MoneyInvalid for a limit below what is counted.
    """
    lock_all_lent(cap.workspace_id)
    start = bounds(cap.period, timezone.now())[0]
    known = (
        Budget.objects.select_for_update()
        .filter(pk=cap.pk, stops=True, period=cap.period, key=cap.key, member=cap.member)
        .first()
    )
    if known is not None:
        _begin_anew(known, start)
        cap.used_nanos, cap.period_start = known.used_nanos, known.period_start
    else:
        cap.period_start, cap.created_at = start, timezone.now()
        cap.used_nanos = counted(cap)
    if limit_nanos < cap.used_nanos:
        raise MoneyInvalid(
            _("%(used)s of this period is spent or set aside already: a cap cannot be below that.")
            % {"used": money.show(cap.used_nanos)},
            param=param,
        )
    cap.limit_nanos, cap.stops = limit_nanos, True
    write(cap)


def write(budget: Budget) -> None:
    """Saves a budget but for what was told of it, which its alerts write."""
    if budget._state.adding:
        budget.told_since = budget.period_start
        budget.save()
    else:
        told = {"id", "told", "told_since"}
        budget.save(update_fields=[field.name for field in Budget._meta.concrete_fields if field.name not in told])
    transaction.on_commit(binding.forget)


def lock_all_lent(workspace_id: str) -> None:
    """Locks the workspace's open leases and accounts: nothing is spent, lent or given back until the transaction ends."""
    list(Lease.objects.select_for_update().filter(workspace_id=workspace_id, closed_at=None).order_by("pk"))
    lock_fundings(workspace_id)


def counted(cap: Budget) -> int:
    """What was spent in the cap's period, and what open leases of it were granted and have not spent."""
    rows = binding.leases_under(cap).filter(closed_at=None, opened_at__gte=cap.period_start)
    granted = rows.aggregate(nanos=Sum("granted_nanos", default=0))["nanos"]
    events = UsageEvent.objects.filter(lease_id__in=list(rows.values_list("pk", flat=True)))
    idle = int(granted - events.aggregate(nanos=Sum("cost_nanos", default=0))["nanos"])
    return spent(cap, cap.period_start) + idle


@dataclass(frozen=True, slots=True)
class Caps:
    """The caps that bind a loan, locked, each in its current period."""

    rows: Sequence[Budget]
    now: datetime  # where hosts' clocks differ, not before the periods of the caps

    @property
    def left_nanos(self) -> float:
        """What may still be lent under all of them."""
        return min((cap.left_nanos for cap in self.rows), default=math.inf)

    def lend(self, nanos: int) -> None:
        """Counts a grant."""
        Budget.objects.filter(pk__in=[cap.pk for cap in self.rows]).update(used_nanos=F("used_nanos") + nanos)

    @property
    def ends_in_s(self) -> float:
        """A lease ends with its UTC day, so that it belongs to one period of every cap, also of one made later."""
        return (midnight_after(self.now) - self.now).total_seconds()


def locked(bound: Binding, now: datetime) -> Caps:
    """The caps that bind, locked until the transaction ends. After the accounts: see docs/gate.md on the order."""
    rows = list(binding.caps_of(bound).select_for_update())
    for cap in rows:
        if _begin_anew(cap, bounds(cap.period, now)[0]):
            cap.save(update_fields=["used_nanos", "period_start"])
    return Caps(rows, max([now, *(cap.period_start for cap in rows)]))


def give_back(lease: Lease, nanos: int) -> None:
    """What a lease did not spend can be spent again, in the periods that it was opened in."""
    bound = binding.caps_of(binding.binding_of_lease(lease)).filter(period_start__lte=lease.opened_at)
    Budget.objects.filter(pk__in=list(bound.select_for_update().values_list("pk", flat=True))).update(
        used_nanos=F("used_nanos") - nanos
    )


def _begin_anew(cap: Budget, start: datetime) -> bool:
    if cap.period_start >= start:
        return False
    cap.period_start, cap.used_nanos = start, _granted(cap, start)
    return True


def _granted(cap: Budget, since: datetime) -> int:
    """What open leases of the period were granted, and its closed ones spent."""
    leases = binding.leases_under(cap).filter(opened_at__gte=since)
    lent = leases.filter(closed_at=None).aggregate(nanos=Sum("granted_nanos", default=0))["nanos"]
    return int(lent + leases.exclude(closed_at=None).aggregate(nanos=Sum("spent_nanos", default=0))["nanos"])


def differences() -> list[str]:
    """Caps that count less than their leases of this period were lent and spent; empty when all is right."""
    wrong = []
    for cap in Budget.objects.filter(stops=True).exclude(key__expires_at__lt=timezone.now()):
        least = _granted(cap, cap.period_start)
        if cap.used_nanos < least:
            wrong.append(f"budget {cap.pk} ({cap}): counts {cap.used_nanos}, its leases {least}")
    return wrong
