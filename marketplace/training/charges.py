"""What a run costs: its budget is held while it is trained, what it used is one usage event, then the hold is settled.

A run that succeeded or was canceled pays the compute it used, at the price that held when it was asked for and never more
than its budget. One that failed pays nothing. Billing knows no model: it is told a product, units and a workspace.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from billing.errors import NoBudget, StoreDown
from billing.gate import holds
from billing.gate.holds import FREE, Hold
from billing.metering import recorder
from billing.metering.models import Status, UsageEvent
from billing.metering.recorder import LeaseClosed, Usage
from billing.plans.terms import Terms, terms_of
from billing.prices import book, quote
from marketplace.training.models import Run, RunState

PRODUCT = "training"  # in the price book
_PAID = (RunState.SUCCEEDED, RunState.CANCELED)
# Longer than a lease of budget lives without its process: who comes back later than that can record nothing on it.
CLAIM = timedelta(seconds=2 * (settings.LEASE_SECONDS + settings.LEASE_GRACE_SECONDS))


def terms(workspace_id: str) -> Terms:
    """The price of training for this workspace."""
    return terms_of(PRODUCT, PRODUCT, workspace_id)


def cost(held: Terms, used_ms: int) -> int:
    """Nano-dollars of so much compute."""
    return held.scheme.cost({"millisecond": used_ms} if used_ms else {}, held.factor_bp)


def _terms_of(run: Run) -> Terms:
    scheme = book.price(run.price_id).scheme if run.price_id else quote.FREE
    return Terms(run.price_id, scheme, run.factor_bp)


def hold(run: Run) -> Hold:
    """Sets the run's budget aside. Raises NoBudget (402), StoreDown (503)."""
    assert run.workspace_id is not None
    return holds.hold(run.workspace_id, "", most_nanos(run, run.budget_s))


def most_nanos(run: Run, budget_s: int) -> int:
    """What so many seconds cost at the run's price."""
    return cost(_terms_of(run), budget_s * 1000)


def can_afford(workspace_id: str, agreed: Terms, budget_s: int) -> None:
    """Raises NoBudget (402) where so many seconds could not be set aside now."""
    holds.release(holds.hold(workspace_id, "", cost(agreed, budget_s * 1000)))


def can_pay(run: Run) -> None:
    """Raises NoBudget (402) where the run's budget could not be set aside now."""
    holds.release(hold(run))


def charge(run: Run, held: Hold, now: datetime) -> None:
    """Bills an ended run once, however often this is called and wherever its process dies, and ends the hold.

    The claim makes one process the one that bills; its usage event says for good that it was billed.
    """
    claimed = Run.objects.filter(
        Q(leased_until=None) | Q(leased_until__lt=now), pk=run.pk, state__in=_PAID, charged_at=None
    )
    if not claimed.update(leased_until=now + CLAIM):
        holds.release(held)
        return
    run.refresh_from_db()
    known = UsageEvent.objects.of_operations(run.pk).first()
    if known is not None:
        holds.release(held)
        _charged(run, known.cost_nanos)
        return
    agreed = _terms_of(run)
    used_ms = min(run.used_ms, run.budget_s * 1000)
    owed = cost(agreed, used_ms)
    if not run.price_id or not used_ms:
        holds.release(held)
        _charged(run, 0)
        return
    try:
        if held.nanos < owed:
            holds.release(held)
            held = FREE
            held = hold(run)
        recorded = recorder.record(_usage(run, agreed, held, used_ms, owed))
    except LeaseClosed:
        holds.release(held)
    except StoreDown:
        holds.abandon(held)
    except NoBudget:
        pass  # it was spent elsewhere after a crash: tried again until it is there
    else:
        holds.settle(held, recorded.cost_nanos)
        _charged(run, recorded.cost_nanos)


def charge_ended(now: datetime) -> None:
    """Bills what a process that died, or a store that was away, left unbilled."""
    left = Run.objects.filter(state__in=_PAID, charged_at=None, ended_at__lt=now).exclude(price_id="")
    for run in left.filter(Q(leased_until=None) | Q(leased_until__lt=now)).order_by("ended_at"):
        charge(run, FREE, now)


def _charged(run: Run, cost_nanos: int) -> None:
    Run.objects.filter(pk=run.pk).update(cost_nanos=cost_nanos, charged_at=timezone.now(), leased_until=None)


def _usage(run: Run, agreed: Terms, held: Hold, used_ms: int, owed: int) -> Usage:
    assert run.workspace_id is not None
    return Usage(
        request_id=run.pk,
        operation_id=run.pk,
        workspace_id=run.workspace_id,
        key_id="",
        model=f"training/{run.recipe}",
        version_id="",
        replica="",
        protocol="training",
        units={"millisecond": used_ms},
        price_id=agreed.price_id,
        factor_bp=agreed.factor_bp,
        cost_nanos=owed,
        lease_id=held.lease_id,
        funding=held.funding,
        held=held.parts,
        latency_ms=used_ms,
        status=Status.SUCCEEDED if run.state == RunState.SUCCEEDED else Status.CANCELED,
    )
