"""What becomes of subscriptions. Stripe says what is; this is the only place that writes it down."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from billing.ledger import lots
from billing.plans import dunning
from billing.plans.models import DunningStep, Plan, Subscription, SubscriptionState

FREE, PAY_AS_YOU_GO, PRO, PREPAID = "free", "payg", "pro", "prepaid"

_STATE = SubscriptionState
# Stripe's word → ours.
STATES = {
    "active": _STATE.ACTIVE,
    "trialing": _STATE.ACTIVE,
    "past_due": _STATE.PAST_DUE,
    "unpaid": _STATE.PAST_DUE,
    "incomplete": _STATE.PENDING,
    "paused": _STATE.PAST_DUE,
    "incomplete_expired": _STATE.ENDED,
    "canceled": _STATE.ENDED,
}
# From → where it may go. Suspended is ours: Stripe calls it past due still (dunning.py). An end is the end.
TRANSITIONS: dict[str, set[str]] = {
    _STATE.PENDING: {_STATE.ACTIVE, _STATE.PAST_DUE, _STATE.ENDED},
    _STATE.ACTIVE: {_STATE.PAST_DUE, _STATE.SUSPENDED, _STATE.ENDED},
    _STATE.PAST_DUE: {_STATE.ACTIVE, _STATE.SUSPENDED, _STATE.ENDED},
    _STATE.SUSPENDED: {_STATE.ACTIVE, _STATE.PAST_DUE, _STATE.ENDED},
    _STATE.ENDED: set(),
}
RUNNING = (_STATE.ACTIVE, _STATE.PAST_DUE, _STATE.SUSPENDED)


def offers() -> QuerySet[Plan]:
    """The plans that people can choose."""
    return Plan.objects.filter(active=True)


def running(workspace_id: str) -> Subscription | None:
    """The workspace's subscription that is active, overdue or suspended."""
    return Subscription.objects.select_related("plan").filter(workspace_id=workspace_id, state__in=RUNNING).first()


def latest(workspace_id: str) -> Subscription | None:
    """The running subscription, else the one that ended last."""
    ended = (
        Subscription.objects.select_related("plan").filter(workspace_id=workspace_id).order_by("-created_at").first()
    )
    return running(workspace_id) or ended


def plan_of(workspace_id: str) -> Plan:
    """The plan that the workspace is on: what it subscribed to, else Prepaid once it bought credit, else Free."""
    subscription = running(workspace_id)
    if subscription is not None:
        return subscription.plan
    code = PREPAID if lots.were_bought(workspace_id) else FREE
    return Plan.objects.filter(pk=code).first() or Plan(code=code)


def observe(
    *,
    workspace_id: str,
    plan_code: str,
    stripe_id: str,
    status: str,
    period_start: datetime,
    period_end: datetime,
    cancel_at_period_end: bool,
    ended_at: datetime | None,
    base_fee_nanos: int = 0,
    included_nanos: int = 0,
    changed_at: datetime | None = None,
) -> Subscription | None:
    """Writes down what Stripe says of a subscription right now; the same twice changes nothing.

    An ended subscription stays ended, whatever comes late. None where another of the workspace is running already: that
    one stays, and the second is left to the operator.
    """
    state = STATES[status]
    with transaction.atomic():
        known = Subscription.objects.select_for_update().filter(stripe_id=stripe_id).first()
        if known is not None and known.state == _STATE.ENDED:
            return known
        other = running(workspace_id)
        if state in RUNNING and other and other.stripe_id != stripe_id:
            return None
        overdue = dunning.current(workspace_id)
        if state == _STATE.PAST_DUE and overdue and overdue.step == DunningStep.SUSPENDED:
            state = _STATE.SUSPENDED
        if known is not None and state != known.state and state not in TRANSITIONS[known.state]:
            return known
        subscription, _ = Subscription.objects.update_or_create(
            stripe_id=stripe_id,
            defaults={
                "workspace_id": workspace_id,
                "plan_id": plan_code,
                "state": state,
                "period_start": period_start,
                "period_end": period_end,
                "cancel_at_period_end": cancel_at_period_end,
                "ended_at": ended_at,
                "base_fee_nanos": base_fee_nanos,
                "included_nanos": included_nanos,
                "changed_at": changed_at,
            },
        )
    return subscription
