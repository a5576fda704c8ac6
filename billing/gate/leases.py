"""Leases in the database: borrow, grow, extend, close, sweep. Each is one transaction and a posting in the ledger.

Locks are taken in one order by all who write here: leases by id, the workspace's accounts by id, caps by id.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from billing.gate import caps, refusal
from billing.gate.binding import Binding
from billing.gate.models import Lease
from billing.gate.purses import Lent
from billing.ledger import audit, postings
from billing.ledger.kinds import AccountKind
from billing.ledger.parts import Parts
from billing.metering import checkpoints
from billing.metering.files import archived
from billing.metering.log import ALWAYS, LATER
from billing.metering.models import Rollup, UsageEvent
from billing.metering.sums import paid
from billing.plans.allowances import lock_fundings, postpaid_limit

FREE_STREAM = timedelta(hours=1)  # a checkpoint of a free stream that old was left by a dead process
GRACE = timedelta(seconds=settings.LEASE_GRACE_SECONDS)


@dataclass(frozen=True, slots=True)
class Loan:
    """What borrowing gave: the lease, and by how much it is larger than before."""

    lease_id: str
    added: Parts
    ends_in_s: float  # it must not be used for longer: then a period of a cap ends


def borrow(bound: Binding, wanted: int, own: Lent | None, process: str, block_nanos: int) -> Loan:
    """Budget for a hold of `wanted` nano-dollars, from what pays first and from the next where that does not reach.

    `own`: what is left of an open lease of this process; it is grown instead of opening another. `block_nanos`, more than
    wanted, is lent where there is plenty, and less and less as the budget runs out.
    Raises NoBudget with what would fit, and LentElsewhere where it would with what other purses have not spent.
    """
    with transaction.atomic():
        # A lease that a sweeper closed, having taken us for dead, has nothing left.
        ours = Lease.objects.select_for_update().filter(pk=own.lease_id if own else "", closed_at=None).first()
        left = own.left.nanos if own is not None and ours is not None else 0
        available = _available(bound.workspace_id)
        binding_caps = caps.locked(bound, timezone.now())
        fits = int(max(min(available.nanos, binding_caps.left_nanos), 0))
        if left + fits < wanted:
            raise refusal.of(bound, wanted, available.nanos, binding_caps, left, ours.pk if ours else "")
        added = available.first(min(max(wanted - left, min(block_nanos, fits // 4)), fits))
        lease = ours or _open(bound, binding_caps.now, process)
        lease.has_been_granted(lease.granted.plus(added))
        postings.lend(lease.workspace_id, added.by_funding(), f"lease:{lease.pk}:{lease.granted_nanos}")
        binding_caps.lend(added.nanos)
    return Loan(lease.pk, added, binding_caps.ends_in_s)


def _available(workspace_id: str) -> Parts:
    """What can be lent; locks the workspace's accounts."""
    has = lock_fundings(workspace_id)
    prepaid = max(has[AccountKind.PROMO] + has[AccountKind.CREDIT], 0)
    promo = min(max(has[AccountKind.PROMO], 0), prepaid)
    return Parts(promo, prepaid - promo, max(has[AccountKind.RECEIVABLE] + postpaid_limit(workspace_id), 0))


def _open(bound: Binding, now: datetime, process: str) -> Lease:
    return Lease.objects.create(
        workspace_id=bound.workspace_id,
        key_id=bound.key_id,
        member_id=bound.member_id,
        process=process,
        granted_nanos=0,
        opened_at=now,
        expires_at=now + timedelta(seconds=settings.LEASE_SECONDS),
    )


def idle(workspace_id: str) -> dict[str, int]:
    """Funding → what is lent of it right now and was not spent yet. Holds of requests that are at work are still in it."""
    rows = list(Lease.objects.filter(workspace_id=workspace_id, closed_at=None))
    spent = UsageEvent.objects.filter(lease_id__in=[lease.pk for lease in rows]).paid()
    granted = reduce(Parts.plus, (lease.granted for lease in rows), Parts())
    return {funding: nanos - spent.get(funding, 0) for funding, nanos in granted.by_funding().items()}


def shrink(lease_id: str, less: Parts) -> bool:
    """Gives back what this process will not spend of an open lease. False if it was closed before."""
    with transaction.atomic():
        lease = Lease.objects.select_for_update().filter(pk=lease_id, closed_at=None).first()
        if lease is None:
            return False
        lease.has_been_granted(lease.granted.minus(less))
        postings.hand_back(lease.workspace_id, less.by_funding(), f"lease:{lease.pk}:back:{lease.granted_nanos}")
        caps.give_back(lease, less.nanos)
    return True


def extend(lease_id: str) -> None:
    """Keeps an open lease from being swept while a long request holds some of it."""
    until = timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)
    Lease.objects.filter(pk=lease_id, closed_at=None).update(expires_at=until)


def close(lease_id: str) -> bool:
    """Settles a lease: what its events sum to is spent, the rest goes back. False if it was closed before.

    After this no event can name the lease (see metering.recorder), so the sum is final.
    """
    with transaction.atomic():
        lease = Lease.objects.select_for_update().filter(pk=lease_id, closed_at=None).first()
        if lease is None:
            return False
        checkpoints.settle(lease_id)
        parts = UsageEvent.objects.filter(lease_id=lease_id).paid()
        spent = sum(parts.values())
        Lease.objects.filter(pk=lease_id).update(closed_at=timezone.now(), spent_nanos=spent)
        postings.close_lease(lease.workspace_id, lease.granted.by_funding(), parts, f"lease:{lease.pk}:close")
        caps.give_back(lease, lease.granted_nanos - spent)
    return True


def sweep(now: datetime) -> int:
    """Closes the leases of processes that died; how many. What they held in streams is settled with them."""
    checkpoints.settle("", before=now - FREE_STREAM)
    silent = Lease.objects.filter(closed_at=None, expires_at__lt=now - GRACE).values_list("pk", flat=True)
    return sum(close(lease_id) for lease_id in list(silent))


def differences() -> list[str]:
    """What is off between leases, their events and the ledger's holds; empty when all is right."""
    wrong = []
    rows = UsageEvent.objects.exclude(lease_id="").values_list("lease_id").order_by()
    spent: dict[str, int] = dict(rows.annotate(total=Sum("cost_nanos")))
    for lease_id, (_, nanos) in archived("lease_id", ALWAYS, LATER).items():
        if lease_id:
            spent[lease_id] = spent.get(lease_id, 0) + nanos
    for lease in Lease.objects.all().iterator():
        events = spent.pop(lease.pk, 0)
        if events > lease.granted_nanos or (lease.closed_at and events != lease.spent_nanos):
            wrong.append(f"{lease.pk}: granted {lease.granted_nanos}, spent {lease.spent_nanos}, events {events}")
    wrong += [f"{lease_id}: {nanos} used on a lease that does not exist" for lease_id, nanos in spent.items()]
    return wrong + _differences_of_fundings()


def _differences_of_fundings() -> list[str]:
    """Workspaces from one of whose fundings the ledger took another amount than the usage of closed leases cost it."""
    taken = Counter(audit.lent_for_good())
    taken.subtract(open_grants())
    used = Counter[tuple[str, str]]()
    rollups = Rollup.objects.exclude(funding="").order_by().values_list("workspace_id", "funding")
    for workspace_id, funding, nanos in rollups.annotate(nanos=Sum("cost_nanos")):
        used[workspace_id, funding] += nanos
    running = UsageEvent.objects.filter(lease_id__in=Lease.objects.filter(closed_at=None).values("pk")).order_by()
    sums = running.values_list("workspace_id", "funding")
    for workspace_id, *of_it in sums.annotate(*(Sum(name) for name in ("cost_nanos", "rest_nanos", "owed_nanos"))):
        for name, nanos in paid(*of_it):
            used[workspace_id, name] -= nanos
    return [
        f"{of[1]} of {of[0]}: {taken[of]} spent by the ledger, {used[of]} by usage"
        for of in sorted({*taken, *used})
        if taken[of] != used[of]
    ]


def open_nanos() -> int:
    """All that is lent right now: must equal the ledger's holds."""
    return Lease.objects.filter(closed_at=None).aggregate(total=Sum("granted_nanos"))["total"] or 0


def open_grants() -> dict[tuple[str, str], int]:
    """(workspace id, funding) → what its open leases were granted."""
    return _granted(Lease.objects.filter(closed_at=None))


def _granted(leases: QuerySet[Lease]) -> dict[tuple[str, str], int]:
    sums = leases.order_by().values_list("workspace_id")
    return {
        (workspace_id, funding): nanos
        for workspace_id, granted, promo, credit in sums.annotate(
            *(Sum(name) for name in ("granted_nanos", "promo_nanos", "credit_nanos"))
        )
        for funding, nanos in Parts(promo, credit, granted - promo - credit).by_funding().items()
    }
