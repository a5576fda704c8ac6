"""Sending people to Stripe's own pages: Checkout to subscribe, the portal to manage."""

from __future__ import annotations

import time

from django.utils.translation import gettext as _
from stripe.params.checkout import SessionCreateParamsLineItem

from billing.errors import PlanProblem
from billing.plans import subscribing
from billing.plans.models import Plan
from billing.stripe import products, taxes
from billing.stripe.client import client, linked, reachable
from billing.stripe.customers import customer
from portal.accounts.models import Workspace


def start(workspace: Workspace, plan: Plan, email: str, success_url: str, cancel_url: str, once: str = "first") -> str:
    """The address of a Checkout page on which the plan is subscribed to.

    `once`: of the form that asked, so that pressing its button twice leads to one page. Raises PlanProblem (409) for a plan
    that is not sold or a workspace that has one, StripeUnavailable (503).
    """
    if not plan.metered or not plan.active:
        raise PlanProblem(_("This plan needs no subscription."))
    if subscribing.running(workspace.pk) is not None:
        raise PlanProblem(_("This workspace has a plan already: manage it on the billing page."))
    with reachable():
        items: list[SessionCreateParamsLineItem] = [{"price": products.usage_price()}]
        if plan.base_fee_nanos:
            items.append({"price": products.fee_price(plan), "quantity": 1})
        session = client().v1.checkout.sessions.create(
            {
                "mode": "subscription",
                "customer": customer(workspace, email),
                "client_reference_id": workspace.pk,
                "line_items": items,
                "success_url": success_url,
                "cancel_url": cancel_url,
                "payment_method_collection": "always",
                "subscription_data": {"metadata": deal(workspace.pk, plan)},
                **taxes.at_checkout(),
            },
            {"idempotency_key": f"subscribe-{workspace.pk}-{plan.code}-{once}"},
        )
    return str(session.url)


def deal(workspace_id: str, plan: Plan) -> dict[str, str]:
    """A subscription's metadata: what was agreed on, whatever becomes of the plan."""
    return {"workspace": workspace_id, "plan": plan.code, "included_nanos": str(plan.included_nanos)}


def portal(workspace: Workspace, return_url: str) -> str:
    """The address of the customer's portal. Raises PlanProblem for a workspace that never subscribed."""
    with reachable():
        known = linked("customer", workspace.pk)
        if known is None:
            raise PlanProblem(_("There is nothing to manage yet: subscribe first."))
        # Its address lives for minutes: who comes back within one gets the same.
        made = client().v1.billing_portal.sessions.create(
            {"customer": known, "return_url": return_url},
            {"idempotency_key": f"portal-{workspace.pk}-{int(time.time()) // 60}"},
        )
        return str(made.url)
