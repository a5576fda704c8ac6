"""How budgets stand, and what is lent to processes right now: to be read; changes and locks nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum

from billing.gate import binding, spending
from billing.gate.binding import Binding
from billing.gate.leases import GRACE
from billing.gate.models import Budget, Lease, Period
from billing.gate.periods import bounds
from billing.ledger.kinds import AccountKind
from billing.metering.models import UsageEvent
from portal.accounts.keys.models import KeyKind
from portal.accounts.models import Key, User

SWEEP_EVERY = timedelta(seconds=10)  # portal/celery.py: settle-leases


@dataclass(frozen=True, slots=True)
class Standing:
    """A cap in its current period, to be read. `used_nanos` counts what is lent too, `spent_nanos` only what was spent."""

    period: str
    limit_nanos: int
    used_nanos: int
    spent_nanos: int
    until: datetime | None  # when it starts anew


def standings(key_ids: Collection[str], now: datetime) -> dict[str, list[Standing]]:
    """The keys' caps as they stand, the shortest period first."""
    leases = list(Lease.objects.filter(key_id__in=key_ids, closed_at=None))
    spent = _spent(leases)
    found: dict[str, list[Standing]] = {key_id: [] for key_id in key_ids}
    for cap in Budget.objects.filter(key_id__in=key_ids, stops=True):
        start, until = bounds(cap.period, now)
        used = cap.used_nanos if cap.period_start >= start else 0
        idle = sum(
            lease.granted_nanos - spent.get(lease.pk, 0)
            for lease in leases
            if lease.key_id == cap.key_id and lease.opened_at >= start
        )
        found[str(cap.key_id)].append(Standing(cap.period, cap.limit_nanos, used, max(used - idle, 0), until))
    for caps in found.values():
        caps.sort(key=lambda cap: Period.values.index(cap.period))
    return found


def left_under(bound: Binding, now: datetime) -> list[int]:
    """What may still be spent under each cap that binds, its workspace's and member's included; at least 0."""
    return [max(cap.limit_nanos - spending.spent(cap, bounds(cap.period, now)[0]), 0) for cap in binding.caps_of(bound)]


@dataclass(frozen=True, slots=True)
class BudgetStanding:
    """A budget in its current period."""

    budget: Budget
    spent_nanos: int
    since: datetime
    until: datetime | None  # when it starts anew

    @property
    def counted_nanos(self) -> int:
        """Of a cap: what was spent or is lent."""
        return self.budget.used_nanos if self.budget.period_start >= self.since else 0

    @property
    def told(self) -> list[int]:
        """The thresholds that were told in this period."""
        return list(self.budget.told) if self.budget.told_since >= self.since else []

    @property
    def percent(self) -> int:
        """What was spent of it, at most 100."""
        limit = self.budget.limit_nanos
        return min(100 * self.spent_nanos // limit, 100) if limit else 100


def of(budget: Budget, now: datetime) -> BudgetStanding:
    """How a budget stands."""
    start, until = bounds(budget.period, now)
    return BudgetStanding(budget, spending.spent(budget, start), start, until)


def budgets(workspace_id: str, now: datetime) -> list[BudgetStanding]:
    """The workspace's budgets, its own before its members' and keys', the shortest period first."""
    rows = Budget.objects.filter(workspace_id=workspace_id).exclude(key__kind=KeyKind.EPHEMERAL)
    found = [of(budget, now) for budget in rows.select_related("key", "member", "workspace")]
    found.sort(key=_place)
    return found


def _place(one: BudgetStanding) -> tuple[bool, bool, int, int]:
    budget = one.budget
    return bool(budget.key_id), bool(budget.member_id), Period.values.index(budget.period), budget.pk


@dataclass(frozen=True, slots=True)
class Holding:
    """A lease that is open: budget that a process has for requests that are at work, or about to come."""

    lease_id: str
    process: str  # short: host and number
    whom: str  # the key or member whose cap binds it; blank: all
    paid_from: list[str]
    held_nanos: int
    since: datetime
    back_by: datetime  # at the latest, unless a request is at work until then


def holdings(workspace_id: str, now: datetime) -> list[Holding]:
    """What is lent of the workspace's budget right now and was not spent yet, the newest first."""
    leases = list(Lease.objects.filter(workspace_id=workspace_id, closed_at=None).order_by("-opened_at"))
    spent = _spent(leases)
    keys = dict(Key.objects.filter(pk__in={lease.key_id for lease in leases}).values_list("pk", "name"))
    members = dict(User.objects.filter(pk__in={lease.member_id for lease in leases}).values_list("pk", "email"))
    return [
        Holding(
            lease_id=lease.pk,
            process=":".join(lease.process.split(":")[:2]),
            whom=keys.get(lease.key_id) or members.get(lease.member_id or 0, ""),
            paid_from=[str(AccountKind(funding).label) for funding in lease.granted.by_funding()],
            held_nanos=lease.granted_nanos - spent.get(lease.pk, 0),
            since=lease.opened_at,
            back_by=max(lease.expires_at + GRACE, now) + SWEEP_EVERY,
        )
        for lease in leases
    ]


def _spent(leases: Collection[Lease]) -> dict[str, int]:
    events = UsageEvent.objects.filter(lease_id__in=[lease.pk for lease in leases]).order_by()
    return dict(events.values_list("lease_id").annotate(nanos=Sum("cost_nanos")))
