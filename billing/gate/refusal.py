"""Why a hold was refused: what limits it, what would fit, when it starts anew, and whether others could give it back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from billing import money
from billing.errors import NoBudget
from billing.gate.binding import Binding
from billing.gate.caps import Caps
from billing.gate.models import Budget, Lease
from billing.gate.periods import bounds
from billing.metering.models import UsageEvent


class LentElsewhere(NoBudget):
    """It would fit with what other purses were lent and have not spent. `leases`: theirs."""

    leases: list[str]


@dataclass(frozen=True, slots=True)
class _Rest:
    """What an open lease of another purse was granted and has not spent; some of it may be held right now."""

    lease: Lease
    nanos: int

    def counts_for(self, cap: Budget) -> bool:
        """Whether the cap counts it."""
        if self.lease.opened_at < cap.period_start:
            return False
        return (not cap.key_id or cap.key_id == self.lease.key_id) and (
            not cap.member_id or cap.member_id == self.lease.member_id
        )


def of(bound: Binding, wanted: int, available: int, caps: Caps, left: int, own_id: str) -> NoBudget:
    """The refusal of a hold of `wanted` nano-dollars, which `available` does not cover with what is `left` of the own lease."""
    error = _explain(wanted, left, left + int(max(min(available, caps.left_nanos), 0)), caps)
    short = wanted - left
    rests = _rests(bound.workspace_id, own_id, caps.now)
    of_caps = {cap: [rest for rest in rests if rest.counts_for(cap)] for cap in caps.rows if cap.left_nanos < short}
    if available + _sum(rests) < short or any(cap.left_nanos + _sum(found) < short for cap, found in of_caps.items()):
        return error
    asked = {rest.lease.pk for found in of_caps.values() for rest in found}
    if available < short:
        asked |= {rest.lease.pk for rest in rests}
    elsewhere = LentElsewhere(error.message, details=error.details)
    elsewhere.leases = sorted(asked)
    return elsewhere


def _explain(wanted: int, left: int, fits: int, caps: Caps) -> NoBudget:
    details: dict[str, object] = {"available": money.decimal(fits), "needed": money.decimal(wanted)}
    said = f"This request may cost up to {money.show(wanted)}, and {money.show(fits)} is available"
    cap = min(caps.rows, key=lambda cap: cap.left_nanos, default=None)
    if cap is None or left + cap.left_nanos > fits:
        details["limited_by"] = "balance"
        return NoBudget(f"{said}. Add a plan or credit on /billing, or lower max_tokens.", details=details)
    who = "key" if cap.key_id else "member" if cap.member_id else "workspace"
    until = bounds(cap.period, caps.now)[1]
    details |= {
        "limited_by": who,
        "cap": money.decimal(cap.limit_nanos),
        "period": cap.period,
        "resets_at": until.isoformat() if until else None,
    }
    whose = {"key": "this key's", "member": "the cap of the member who made this key:", "workspace": "the workspace's"}
    anew = f", which starts anew at {until:%Y-%m-%d %H:%M} UTC" if until else ""
    amount = f"{money.show(cap.limit_nanos)} {cap.get_period_display()}"
    named = f"{whose[who]} {amount}" if who == "member" else f"{whose[who]} cap of {amount}"
    return NoBudget(f"{said} under {named}{anew}.", details=details)


def _rests(workspace_id: str, own_id: str, now: datetime) -> list[_Rest]:
    """Of leases whose processes seem alive."""
    others = list(
        Lease.objects.filter(workspace_id=workspace_id, closed_at=None, expires_at__gt=now).exclude(pk=own_id)
    )
    if not others:
        return []
    events = UsageEvent.objects.filter(lease_id__in=[lease.pk for lease in others]).order_by()
    spent = dict(events.values_list("lease_id").annotate(nanos=Sum("cost_nanos")))
    return [_Rest(lease, lease.granted_nanos - spent.get(lease.pk, 0)) for lease in others]


def _sum(rests: Iterable[_Rest]) -> int:
    return sum(rest.nanos for rest in rests)
