"""Leases in the database: borrow, grow, extend, close, sweep. Each is one transaction and a posting in the ledger."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone

from billing import money
from billing.errors import NoBudget
from billing.gate import caps
from billing.gate.models import Lease
from billing.ledger import postings
from billing.ledger.balances import lock_fundings
from billing.ledger.kinds import AccountKind
from billing.metering import checkpoints
from billing.metering.models import UsageEvent
from billing.plans.allowances import open_workspace, postpaid_limit
from portal.accounts.models import Workspace

FUNDINGS = (AccountKind.PROMO.value, AccountKind.CREDIT.value, AccountKind.RECEIVABLE.value)  # in the order of use
FREE_STREAM = timedelta(hours=1)  # a checkpoint of a free stream that old was left by a dead process
GRACE = timedelta(seconds=30)  # a lease whose process fell silent this long after expiry is swept


@dataclass(frozen=True, slots=True)
class Loan:
    """What borrowing gave: the lease, where it is paid from, and by how much it is larger than before."""

    lease_id: str
    funding: str
    added_nanos: int
    ends_in_s: float  # it must not be used for longer: then a period of a cap ends


def borrow(
    workspace_id: str, key_id: str, wanted: int, own: Mapping[str, tuple[str, int]], process: str, block_nanos: int
) -> Loan:
    """Budget for a hold of `wanted` nano-dollars, in the first funding that can cover it.

    `own`: funding → (open lease of this process, what is left of it); such a lease is grown instead of opening another.
    `block_nanos`, more than wanted, is lent where there is plenty, and less and less as the budget runs out.
    Locks the workspace's funding accounts, then the key's cap. Raises NoBudget with what would fit.
    """
    with transaction.atomic():
        balances = lock_fundings(workspace_id)
        if not balances:
            open_workspace(Workspace.objects.get(pk=workspace_id))
            balances = lock_fundings(workspace_id)
        now = timezone.now()
        limits = caps.locked(key_id, now) if key_id else []
        under_caps, until = caps.left(limits), caps.ends(limits, now)
        fits = 0
        for funding in FUNDINGS:
            available = balances[funding]
            if funding == AccountKind.RECEIVABLE:
                available += postpaid_limit(workspace_id)
            if under_caps is not None:
                available = min(available, under_caps)
            lease_id, left = own.get(funding, ("", 0))
            if left + max(available, 0) < wanted:
                fits = max(fits, left + max(available, 0))
                continue
            block = min(block_nanos, available // 4)
            added = min(max(wanted - left, block), available)
            lease = _lend(workspace_id, key_id, funding, added, lease_id, process)
            caps.lend(limits, added)
            return Loan(lease, funding, added, (until - now).total_seconds() if until else math.inf)
    raise NoBudget(
        f"This request may cost up to {money.show(wanted)}, and {money.show(fits)} is available"
        + (" under this key's cap." if limits else ". Add a plan or credit on /billing, or lower max_tokens."),
        details={"available": money.decimal(fits), "needed": money.decimal(wanted)},
    )


def _lend(workspace_id: str, key_id: str, funding: str, nanos: int, lease_id: str, process: str) -> str:
    if not lease_id:
        now = timezone.now()
        expires_at = now + timedelta(seconds=settings.LEASE_SECONDS)
        lease = Lease.objects.create(
            workspace_id=workspace_id,
            key_id=key_id,
            funding=funding,
            process=process,
            granted_nanos=nanos,
            opened_at=now,
            expires_at=expires_at,
        )
        postings.lend(workspace_id, funding, nanos, f"lease:{lease.pk}:0")
        return lease.pk
    # Conditional: a sweeper that took us for dead may have closed it.
    if not Lease.objects.filter(pk=lease_id, closed_at=None).update(granted_nanos=F("granted_nanos") + nanos):
        return _lend(workspace_id, key_id, funding, nanos, "", process)
    granted = Lease.objects.values_list("granted_nanos", flat=True).get(pk=lease_id)
    postings.lend(workspace_id, funding, nanos, f"lease:{lease_id}:{granted}")
    return lease_id


def idle(workspace_id: str) -> dict[str, int]:
    """Funding → what is lent of it right now and was not spent yet. Holds of requests that are at work are still in it."""
    rows = Lease.objects.filter(workspace_id=workspace_id, closed_at=None)
    lent = dict(rows.order_by().values_list("funding").annotate(nanos=Sum("granted_nanos")))
    events = UsageEvent.objects.filter(lease_id__in=rows.values("pk")).order_by()
    spent = dict(events.values_list("funding").annotate(nanos=Sum("cost_nanos")))
    return {funding: nanos - spent.get(funding, 0) for funding, nanos in lent.items()}


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
        spent = UsageEvent.objects.filter(lease_id=lease_id).aggregate(total=Sum("cost_nanos"))["total"] or 0
        Lease.objects.filter(pk=lease_id).update(closed_at=timezone.now(), spent_nanos=spent)
        postings.close_lease(lease.workspace_id, lease.funding, lease.granted_nanos, spent, f"lease:{lease.pk}:close")
        if lease.key_id:
            caps.give_back(lease.key_id, lease.opened_at, lease.granted_nanos - spent)
    return True


def sweep(now: datetime) -> int:
    """Closes the leases of processes that died; how many. What they held in streams is settled with them."""
    checkpoints.settle("", before=now - FREE_STREAM)
    silent = Lease.objects.filter(closed_at=None, expires_at__lt=now - GRACE).values_list("pk", flat=True)
    return sum(close(lease_id) for lease_id in list(silent))


def differences() -> list[str]:
    """What is off between leases, their events and the ledger's holds; empty when all is right."""
    wrong = []
    spent = dict(
        UsageEvent.objects.exclude(lease_id="").values_list("lease_id").annotate(total=Sum("cost_nanos")).order_by()
    )
    for lease in Lease.objects.all().iterator():
        events = spent.pop(lease.pk, 0)
        if events > lease.granted_nanos or (lease.closed_at and events != lease.spent_nanos):
            wrong.append(f"{lease.pk}: granted {lease.granted_nanos}, spent {lease.spent_nanos}, events {events}")
    wrong += [f"{lease_id}: {nanos} used on a lease that does not exist" for lease_id, nanos in spent.items()]
    return wrong


def open_nanos() -> int:
    """All that is lent right now: must equal the ledger's holds."""
    return Lease.objects.filter(closed_at=None).aggregate(total=Sum("granted_nanos"))["total"] or 0


def open_grants() -> dict[tuple[str, str], int]:
    """(workspace id, funding) → what its open leases were granted."""
    rows = Lease.objects.filter(closed_at=None).values("workspace_id", "funding").order_by()
    return {(r["workspace_id"], r["funding"]): r["nanos"] for r in rows.annotate(nanos=Sum("granted_nanos"))}
