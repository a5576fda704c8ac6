"""Leases in the database: borrow, grow, extend, close, sweep. Each is one transaction and a posting in the ledger.

Locks are taken in one order by all who write here: leases by id, the workspace's accounts by id, caps by id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from billing.gate import caps, refusal
from billing.gate.binding import Binding
from billing.gate.models import Lease, Means, fundings
from billing.ledger import audit, postings
from billing.ledger.kinds import AccountKind
from billing.metering import checkpoints
from billing.metering.files import archived
from billing.metering.log import ALWAYS, LATER
from billing.metering.models import Rollup, UsageEvent
from billing.metering.sums import paid
from billing.plans.allowances import lock_fundings, postpaid_limit

PREPAID, POSTPAID = MEANS = (Means.PREPAID.value, Means.POSTPAID.value)  # in the order of use
FREE_STREAM = timedelta(hours=1)  # a checkpoint of a free stream that old was left by a dead process
GRACE = timedelta(seconds=settings.LEASE_GRACE_SECONDS)


@dataclass(frozen=True, slots=True)
class Loan:
    """What borrowing gave: the lease, what it is paid from, and by how much it is larger than before."""

    lease_id: str
    means: str
    added_nanos: int
    promo_nanos: int  # of what was added
    ends_in_s: float  # it must not be used for longer: then a period of a cap ends


def borrow(bound: Binding, wanted: int, own: Mapping[str, tuple[str, int]], process: str, block_nanos: int) -> Loan:
    """Budget for a hold of `wanted` nano-dollars, by the first means that can cover it.

    `own`: means → (open lease of this process, what is left of it); such a lease is grown instead of opening another.
    `block_nanos`, more than wanted, is lent where there is plenty, and less and less as the budget runs out.
    Raises NoBudget with what would fit, and LentElsewhere where it would with what other purses have not spent.
    """
    with transaction.atomic():
        ours = Lease.objects.select_for_update().filter(pk__in=[lease_id for lease_id, _left in own.values()])
        still_open = {lease.pk: lease for lease in ours.order_by("pk") if lease.closed_at is None}
        has = lock_fundings(bound.workspace_id)
        postpaid = has[AccountKind.RECEIVABLE] + postpaid_limit(bound.workspace_id)
        available = {PREPAID: has[AccountKind.PROMO] + has[AccountKind.CREDIT], POSTPAID: postpaid}
        binding_caps = caps.locked(bound, timezone.now())
        for means in MEANS:
            fits = int(max(min(available[means], binding_caps.left_nanos), 0))
            # A lease that a sweeper closed, having taken us for dead, has nothing left.
            lease, left = still_open.get(own[means][0]) if means in own else None, 0
            if lease is not None:
                left = own[means][1]
            if left + fits < wanted:
                continue
            added = min(max(wanted - left, min(block_nanos, fits // 4)), fits)
            promo = min(added, has[AccountKind.PROMO]) if means == PREPAID else 0
            lease = lease or _open(bound, means, binding_caps.now, process)
            _grow(lease, added, promo)
            binding_caps.lend(added)
            return Loan(lease.pk, means, added, promo, binding_caps.ends_in_s)
        lefts = {means: left for means, (lease_id, left) in own.items() if lease_id in still_open}
        raise refusal.of(bound, wanted, available, binding_caps, lefts, set(still_open))


def _open(bound: Binding, means: str, now: datetime, process: str) -> Lease:
    return Lease.objects.create(
        workspace_id=bound.workspace_id,
        key_id=bound.key_id,
        member_id=bound.member_id,
        means=means,
        process=process,
        granted_nanos=0,
        opened_at=now,
        expires_at=now + timedelta(seconds=settings.LEASE_SECONDS),
    )


def _grow(lease: Lease, nanos: int, promo_nanos: int) -> None:
    granted = lease.granted_nanos + nanos
    grown = {"granted_nanos": granted, "promo_nanos": lease.promo_nanos + promo_nanos}
    Lease.objects.filter(pk=lease.pk).update(**grown)
    postings.lend(lease.workspace_id, fundings(lease.means, nanos, promo_nanos), f"lease:{lease.pk}:{granted}")


def idle(workspace_id: str) -> dict[str, int]:
    """Funding → what is lent of it right now and was not spent yet. Holds of requests that are at work are still in it."""
    rows = Lease.objects.filter(workspace_id=workspace_id, closed_at=None)
    spent = UsageEvent.objects.filter(lease_id__in=rows.values("pk")).paid()
    return {funding: nanos - spent.get(funding, 0) for (_of, funding), nanos in _granted(rows).items()}


def shrink(lease_id: str, nanos: int, promo_nanos: int) -> bool:
    """Gives back what this process will not spend of an open lease, and of that the promotional credit.

    False if it was closed before.
    """
    with transaction.atomic():
        lease = Lease.objects.select_for_update().filter(pk=lease_id, closed_at=None).first()
        if lease is None:
            return False
        granted = lease.granted_nanos - nanos
        returned = fundings(lease.means, nanos, promo_nanos)
        postings.hand_back(lease.workspace_id, returned, f"lease:{lease.pk}:back:{granted}")
        shrunk = {"granted_nanos": granted, "promo_nanos": lease.promo_nanos - promo_nanos}
        Lease.objects.filter(pk=lease_id).update(**shrunk)
        caps.give_back(lease, nanos)
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
        postings.close_lease(lease.workspace_id, lease.granted, parts, f"lease:{lease.pk}:close")
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
    sums = running.values_list("workspace_id", "funding").annotate(cost=Sum("cost_nanos"), rest=Sum("rest_nanos"))
    for workspace_id, funding, cost, rest in sums:
        for name, nanos in paid(funding, cost, rest):
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
    sums = leases.order_by().values_list("workspace_id", "means")
    return {
        (workspace_id, funding): part
        for workspace_id, means, nanos, promo in sums.annotate(n=Sum("granted_nanos"), promo=Sum("promo_nanos"))
        for funding, part in fundings(means, nanos, promo).items()
    }
