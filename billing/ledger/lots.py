"""Lots: what a workspace's credit is made of, since credit may expire and a purchase may be refunded.

Spending takes the lot that expires first. What is lent to processes is still in its lot, so for each workspace and kind:
Σ left = balance + what open leases of that funding were granted. Only postings.py writes lots, beside their entries and
with the account's row locked.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, QuerySet, Sum

from billing.errors import NotEnoughCredit
from billing.ledger.kinds import AccountKind
from billing.ledger.models import Lot

_SOONEST = (F("expires_at").asc(nulls_last=True), "created_at", "pk")


def live(workspace_id: str) -> QuerySet[Lot]:
    """What is left of the workspace's lots, in the order of use."""
    return Lot.objects.filter(workspace_id=workspace_id, left_nanos__gt=0).order_by(*_SOONEST)


def expired(now: datetime) -> QuerySet[Lot]:
    """Lots that are over and not used up, of all workspaces."""
    return Lot.objects.filter(expires_at__lte=now, left_nanos__gt=0).order_by("expires_at", "pk")


def were_bought(workspace_id: str) -> bool:
    """Whether the workspace ever bought credit."""
    return Lot.objects.filter(workspace_id=workspace_id, kind=AccountKind.CREDIT).exists()


def of_source(source: str) -> Lot | None:
    """The lot that a transaction brought."""
    return Lot.objects.filter(source=source).first()


def unexpired_nanos(workspace_id: str, kind: str, now: datetime) -> int:
    """What may still be spent of a kind, lent or not."""
    rows = live(workspace_id).filter(kind=kind).exclude(expires_at__lte=now)
    return int(rows.aggregate(nanos=Sum("left_nanos", default=0))["nanos"])


def add(
    workspace_id: str, kind: str, nanos: int, source: str, memo: str, expires_at: datetime | None
) -> Lot:  # only for postings.py
    """A new lot."""
    return Lot.objects.create(
        workspace_id=workspace_id,
        kind=kind,
        amount_nanos=nanos,
        left_nanos=nanos,
        source=source,
        memo=memo,
        expires_at=expires_at,
    )


def take(workspace_id: str, kind: str, nanos: int, first: str = "") -> None:
    """Takes an amount out of the lots; of the lot with the source `first` before others.

    Raises NotEnoughCredit where the lots hold less, which the invariant above rules out.
    """
    rows = list(live(workspace_id).filter(kind=kind).select_for_update())
    rows.sort(key=lambda lot: lot.source != first)  # stable: the rest keep their order
    for lot in rows:
        part = min(nanos, lot.left_nanos)
        if not part:
            break
        Lot.objects.filter(pk=lot.pk).update(left_nanos=F("left_nanos") - part)
        nanos -= part
    if nanos:
        raise NotEnoughCredit(f"The {kind} lots of {workspace_id} hold {nanos} nano-dollars too little.")
