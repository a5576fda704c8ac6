"""Sending people to Stripe's own pages: Checkout to subscribe, the portal to manage."""

from __future__ import annotations

from django.utils.translation import gettext as _

from billing.errors import PlanProblem
from billing.plans import subscribing
from billing.plans.models import Plan
from billing.stripe import products
from billing.stripe.client import client, linked, reachable
from billing.stripe.customers import customer
from portal.accounts.models import Workspace


def start(workspace: Workspace, plan: Plan, email: str, success_url: str, cancel_url: str) -> str:
    """The address of a Checkout page on which the plan is subscribed to.

    Raises PlanProblem (409) for a plan that is not sold or a workspace that has one, StripeUnavailable (503).
    """
    if not plan.metered or not plan.active:
        raise PlanProblem(_("This plan needs no subscription."))
    if subscribing.running(workspace.pk) is not None:
        raise PlanProblem(_("This workspace has a plan already: manage it on the billing page."))
    with reachable():
        session = client().v1.checkout.sessions.create(
            {
                "mode": "subscription",
                "customer": customer(workspace, email),
                "client_reference_id": workspace.pk,
                "line_items": [{"price": products.price(plan)}],
                "success_url": success_url,
                "cancel_url": cancel_url,
                "payment_method_collection": "always",
                "subscription_data": {"metadata": {"workspace": workspace.pk, "plan": plan.code}},
            }
        )
    return str(session.url)


def portal(workspace: Workspace, return_url: str) -> str:
    """The address of the customer's portal. Raises PlanProblem for a workspace that never subscribed."""
    with reachable():
        known = linked("customer", workspace.pk)
        if known is None:
            raise PlanProblem(_("There is nothing to manage yet: subscribe first."))
        return str(client().v1.billing_portal.sessions.create({"customer": known, "return_url": return_url}).url)
