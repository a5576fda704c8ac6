"""A workspace's subscription at Stripe: followed, changed to another plan, ended.

All metered plans share one usage item, which stays through a change of plan: usage is on one invoice, once. A plan with a
base fee has a second item. Stripe prorates fees by the second: more is invoiced at once, less is credited on the next
invoice. Included usage follows the same shares (plans/included.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import stripe
from django.utils import timezone
from django.utils.translation import gettext as _
from stripe.params import SubscriptionUpdateParams, SubscriptionUpdateParamsItem

from billing.errors import PlanProblem
from billing.money import NANOS_IN_CENT
from billing.plans import included, subscribing
from billing.plans.models import Plan, Subscription, SubscriptionState
from billing.stripe import corrections, customers, mirror, products
from billing.stripe.checkout import deal
from billing.stripe.client import client, reachable
from billing.stripe.invoices import moment
from portal.accounts.models import Workspace


@dataclass(frozen=True, slots=True)
class _Seen:
    """A subscription as Stripe shows it, and whose it is."""

    subscription: stripe.Subscription
    workspace_id: str | None


def settle(subscription_id: str) -> None:
    """Writes down what a subscription is now, and what that means for its included usage."""
    mirror.follow(subscription_id, _seen, _write)


def _seen(subscription_id: str) -> _Seen:
    found = client().v1.subscriptions.retrieve(subscription_id)
    return _Seen(found, customers.workspace_of(found))


def _write(seen: _Seen) -> None:
    found, workspace_id, told = seen.subscription, seen.workspace_id, seen.subscription.metadata.to_dict()
    plan = Plan.objects.filter(pk=told.get("plan", subscribing.PAY_AS_YOU_GO)).first()
    if workspace_id is None or plan is None:
        return  # another system's customer in the same Stripe account
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace_id)  # as who writes down its invoices
    before = Subscription.objects.filter(stripe_id=found.id).first()
    items = found["items"].data
    after = subscribing.observe(
        workspace_id=workspace_id,
        plan_code=plan.code,
        stripe_id=found.id,
        status=found.status,
        period_start=moment(items[0].current_period_start),
        period_end=moment(items[0].current_period_end),
        cancel_at_period_end=bool(found.cancel_at_period_end),
        ended_at=moment(found.ended_at) if found.ended_at else None,
        base_fee_nanos=sum((item.price.unit_amount or 0) * (item.quantity or 1) for item in _fees(found))
        * NANOS_IN_CENT,
        included_nanos=int(told.get("included_nanos", "0")),
        changed_at=moment(told["changed_at"]) if "changed_at" in told else None,
    )
    if after is None:
        return
    excess = included.follow(before, after, timezone.now())
    if excess:
        source = f"excess:{found.id}:{told['changed_at']}"
        corrections.add(workspace_id, source, excess, _("Included usage beyond its share"), found.id)


def _fees(found: stripe.Subscription) -> list[stripe.SubscriptionItem]:
    return [i for i in found["items"].data if i.price.recurring and i.price.recurring.usage_type == "licensed"]


def change(workspace: Workspace, plan: Plan) -> None:
    """Moves the running subscription to another metered plan, or to what its own costs today, now.

    Raises PlanProblem (409), also where the card was declined: then nothing has changed; StripeUnavailable (503).
    """
    running = subscribing.running(workspace.pk)
    if running is None or not running.stripe_id:
        raise PlanProblem(_("There is no subscription to change: subscribe first."))
    if not plan.metered or not plan.active or is_of(running, plan):
        raise PlanProblem(_("Choose another plan that is offered."))
    if running.state != SubscriptionState.ACTIVE:
        raise PlanProblem(_("Pay the overdue invoice first: then the plan can be changed."))
    try:
        with reachable():
            _change(running.stripe_id, running, plan)
            settle(running.stripe_id)
    except stripe.CardError as error:
        reason = {"reason": error.user_message}
        raise PlanProblem(_("The card was declined, and nothing was changed: %(reason)s") % reason) from error


def is_of(running: Subscription, plan: Plan) -> bool:
    """Whether the subscription is to the plan as it is offered today."""
    deal = (running.plan_id, running.base_fee_nanos, running.included_nanos)
    return deal == (plan.pk, plan.base_fee_nanos, plan.included_nanos)


def _change(stripe_id: str, running: Subscription, plan: Plan) -> None:
    found = client().v1.subscriptions.retrieve(stripe_id)
    # To the minute: whoever asks twice within one asks for the same, under the same key.
    minute = int(timezone.now().timestamp()) // 60 * 60
    last = int(running.changed_at.timestamp()) if running.changed_at else 0
    at = max(minute, found["items"].data[0].current_period_start, last + 1)  # each change has a moment of its own
    fee = next(iter(_fees(found)), None)
    items: list[SubscriptionUpdateParamsItem] = []
    if plan.base_fee_nanos:
        wanted = products.fee_price(plan)
        items.append({"id": fee.id, "price": wanted} if fee else {"price": wanted, "quantity": 1})
    elif fee:
        items.append({"id": fee.id, "deleted": True})
    given: SubscriptionUpdateParams = {"metadata": {**deal(running.workspace_id, plan), "changed_at": str(at)}}
    if items:
        dearer = plan.base_fee_nanos > running.base_fee_nanos
        # More is paid at once or not had; less is credited on the next invoice.
        given |= {
            "items": items,
            "proration_date": at,
            "proration_behavior": "always_invoice" if dearer else "create_prorations",
            "payment_behavior": "error_if_incomplete" if dearer else "allow_incomplete",
        }
    key = f"change-{stripe_id}-{plan.pk}-{plan.base_fee_nanos}-{at}"
    client().v1.subscriptions.update(stripe_id, given, {"idempotency_key": key})


def end_with_period(workspace: Workspace) -> None:
    """The subscription ends with its period. (ending.py ends it now.) Raises PlanProblem (409), StripeUnavailable (503)."""
    running = subscribing.running(workspace.pk)
    if running is None or not running.stripe_id:
        raise PlanProblem(_("There is no subscription to end."))
    _end_with_period(running.stripe_id, True)


def resume(workspace: Workspace) -> None:
    """Takes back an end with the period. Raises PlanProblem (409), StripeUnavailable (503)."""
    running = subscribing.running(workspace.pk)
    if running is None or not running.stripe_id or not running.cancel_at_period_end:
        raise PlanProblem(_("There is no end to take back."))
    _end_with_period(running.stripe_id, False)


def _end_with_period(stripe_id: str, ends: bool) -> None:
    with reachable():
        client().v1.subscriptions.update(stripe_id, {"cancel_at_period_end": ends})
        settle(stripe_id)
