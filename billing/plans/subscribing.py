"""What becomes of subscriptions. Stripe says what is; this is the only place that writes it down."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from billing.plans.models import Plan, Subscription, SubscriptionState

# Stripe's word → ours.
STATES = {
    "active": SubscriptionState.ACTIVE,
    "trialing": SubscriptionState.ACTIVE,
    "past_due": SubscriptionState.PAST_DUE,
    "unpaid": SubscriptionState.PAST_DUE,
    "incomplete": SubscriptionState.PENDING,
    "paused": SubscriptionState.PAST_DUE,
    "incomplete_expired": SubscriptionState.ENDED,
    "canceled": SubscriptionState.ENDED,
}


def offers() -> QuerySet[Plan]:
    """The plans that people can choose."""
    return Plan.objects.filter(active=True)


def running(workspace_id: str) -> Subscription | None:
    """The workspace's subscription that is active or overdue."""
    return (
        Subscription.objects.select_related("plan")
        .filter(workspace_id=workspace_id, state__in=[SubscriptionState.ACTIVE, SubscriptionState.PAST_DUE])
        .first()
    )


def latest(workspace_id: str) -> Subscription | None:
    """The running subscription, else the one that ended last."""
    ended = (
        Subscription.objects.select_related("plan").filter(workspace_id=workspace_id).order_by("-created_at").first()
    )
    return running(workspace_id) or ended


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
) -> Subscription | None:
    """Writes down what Stripe says of a subscription right now; the same twice changes nothing.

    An ended subscription stays ended, whatever comes late. None where another of the workspace is running already: that
    one stays, and the second is left to the operator.
    """
    state = STATES[status]
    with transaction.atomic():
        known = Subscription.objects.select_for_update().filter(stripe_id=stripe_id).first()
        if known is not None and known.state == SubscriptionState.ENDED:
            return known
        other = running(workspace_id)
        if state in (SubscriptionState.ACTIVE, SubscriptionState.PAST_DUE) and other and other.stripe_id != stripe_id:
            return None
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
            },
        )
    return subscription
