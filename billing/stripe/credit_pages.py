"""/billing/credits: buy credit, see what was bought."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from billing.ledger import lots
from billing.ledger.balances import balance
from billing.plans.allowances import open_workspace
from billing.stripe import topups
from billing.stripe.models import TopUp
from portal.accounts.access import has_role, require_role, workspace_of
from portal.accounts.models import Role, User
from portal.kit.errors import Problem

PRESETS = (10, 25, 50, 100, 250)  # dollars


@login_required
def credits_page(request: HttpRequest) -> HttpResponse:
    """GET: balance, lots, receipts, and the forms."""
    return _page(request)


@login_required
@require_POST
def top_up(request: HttpRequest) -> HttpResponse:
    """Off to Checkout."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.ADMIN)
    assert isinstance(request.user, User)
    here = request.build_absolute_uri("/billing/credits")
    try:
        cents = topups.cents_of(request.POST.get("amount", ""))
        url = topups.start(
            workspace, cents, request.user.email, _once(request), f"{here}?paid={{CHECKOUT_SESSION_ID}}", here
        )
    except Problem as problem:
        return _refused(request, problem)
    return HttpResponseRedirect(url)


def _once(request: HttpRequest) -> str:
    """What tells one rendering of a form from another."""
    given = request.POST.get("once", "")
    return given if 8 <= len(given) <= 64 and given.isalnum() else uuid.uuid4().hex


def _refused(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The page again with what was entered, or back to it where the field does not matter."""
    if problem.param:
        return _page(
            request, {"error": problem.message, "param": problem.param, "entered": request.POST}, problem.status
        )
    messages.error(request, problem.message)
    return redirect("billing_credits")


def _page(request: HttpRequest, more: dict[str, Any] | None = None, status: int = 200) -> HttpResponse:
    workspace, now = workspace_of(request), timezone.now()
    open_workspace(workspace)
    has = balance(workspace.pk)
    bought = TopUp.objects.filter(workspace=workspace, status__in=["succeeded", "processing"]).order_by("-created_at")
    context = {
        "once": uuid.uuid4().hex,
        "balance": has,
        "spendable_nanos": has.promo_nanos + has.credit_nanos,
        "lots": lots.live(workspace.pk).exclude(expires_at__lte=now)[:50],
        "bought": bought[:50],
        "presets": PRESETS,
        "least_nanos": settings.TOP_UP_LEAST_NANOS,
        "most_nanos": settings.TOP_UP_MOST_NANOS,
        "expires_days": settings.CREDIT_EXPIRES_DAYS,
        "may_pay": has_role(request, workspace, Role.ADMIN),
        "paid": "paid" in request.GET,
    }
    return render(request, "billing/stripe/credits.html", context | (more or {}), status=status)
