"""/billing/plan: choose a plan, change it, end it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from billing.plans import dunning, subscribing
from billing.plans.models import Plan
from billing.stripe import checkout, ending, subscriptions
from billing.stripe.credit_pages import once_of
from portal.accounts.access import has_role, require_role, workspace_of
from portal.accounts.models import Role, User, Workspace
from portal.kit.errors import Problem


@login_required
def plan_page(request: HttpRequest) -> HttpResponse:
    """All plans, and what can be done with the own one."""
    return render(request, "billing/stripe/plan.html", plan_context(request))


@login_required
def plan_state(request: HttpRequest) -> HttpResponse:
    """The plans alone, which ask again until the payment has arrived."""
    return render(request, "billing/stripe/_plans.html", plan_context(request))


@login_required
@require_POST
def subscribe(request: HttpRequest) -> HttpResponse:
    """Off to Checkout."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.ADMIN)
    plan = get_object_or_404(Plan, pk=request.POST.get("plan", ""), active=True)
    assert isinstance(request.user, User)
    here = request.build_absolute_uri("/billing")
    paid = f"{here}?paid={{CHECKOUT_SESSION_ID}}"
    try:
        url = checkout.start(workspace, plan, request.user.email, paid, here, once_of(request))
    except Problem as problem:
        messages.error(request, problem.message)
        return redirect("billing_plan")
    return HttpResponseRedirect(url)


@login_required
@require_POST
def change(request: HttpRequest) -> HttpResponse:
    """To another plan with a subscription, now."""
    plan = get_object_or_404(Plan, pk=request.POST.get("plan", ""), active=True)
    return _done(request, lambda workspace: subscriptions.change(workspace, plan), _("The plan was changed."))


@login_required
@require_POST
def end(request: HttpRequest) -> HttpResponse:
    """Ends the subscription: `when` is now, or with the period."""
    if request.POST.get("when") == "now":
        return _done(
            request,
            lambda workspace: ending.end_now(workspace.pk, timezone.now()),
            _("The subscription has ended. What was used is on its last invoice."),
        )
    return _done(request, subscriptions.end_with_period, _("The subscription ends with its period."))


@login_required
@require_POST
def resume(request: HttpRequest) -> HttpResponse:
    """Takes back an end with the period."""
    return _done(request, subscriptions.resume, _("The subscription goes on."))


def _done(request: HttpRequest, act: Callable[[Workspace], None], said: str) -> HttpResponse:
    workspace = workspace_of(request)
    require_role(request, workspace, Role.ADMIN)
    try:
        act(workspace)
    except Problem as problem:
        messages.error(request, problem.message)
    else:
        messages.success(request, said)
    return redirect("billing_plan")


def plan_context(request: HttpRequest) -> dict[str, Any]:
    """What the part with the plans shows."""
    workspace = workspace_of(request)
    running = subscribing.running(workspace.pk)
    may_pay = has_role(request, workspace, Role.ADMIN)
    return {
        "pay": dunning.current(workspace.pk) if may_pay else None,
        "subscription": running,
        "offers_more": running is not None and not subscriptions.is_of(running, running.plan),
        "plans": subscribing.offers(),
        "current": subscribing.plan_of(workspace.pk).pk,
        "waiting": running is None and "paid" in request.GET,
        "may_pay": may_pay,
        "once": uuid.uuid4().hex,
    }
