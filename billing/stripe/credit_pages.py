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
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from billing import money
from billing.credit import coupons, recharge
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
            workspace, cents, request.user.email, once_of(request), f"{here}?paid={{CHECKOUT_SESSION_ID}}", here
        )
    except Problem as problem:
        return _refused(request, problem)
    return HttpResponseRedirect(url)


@login_required
@require_POST
def auto_recharge(request: HttpRequest) -> HttpResponse:
    """Turns it on with its figures, or off."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.ADMIN)
    if request.POST.get("act") == "stop":
        recharge.stop(workspace)
        messages.success(request, _("Credit is no longer bought by itself."))
        return redirect("billing_credits")
    try:
        recharge.wish(workspace, request.POST.dict())
    except Problem as problem:
        if problem.param == "amount":
            problem.param = "recharge-amount"  # the page has two amounts
        return _refused(request, problem)
    messages.success(request, _("Credit is bought by itself from now on."))
    return redirect("billing_credits")


@login_required
@require_POST
def confirm_recharge(request: HttpRequest) -> HttpResponse:
    """Off to Checkout, where the bank's question can be answered."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.ADMIN)
    attempt = recharge.to_confirm(workspace.pk)
    if attempt is None:
        messages.error(request, _("There is nothing to confirm."))
        return redirect("billing_credits")
    assert isinstance(request.user, User)
    here = request.build_absolute_uri("/billing/credits")
    paid = f"{here}?paid={{CHECKOUT_SESSION_ID}}"
    try:
        url = topups.start(workspace, attempt.cents, request.user.email, once_of(request), paid, here, attempt.pk)
    except Problem as problem:
        return _refused(request, problem)
    return HttpResponseRedirect(url)


@login_required
@require_POST
def redeem(request: HttpRequest) -> HttpResponse:
    """Gives a coupon's credit."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.ADMIN)
    try:
        coupon = coupons.redeem(workspace, request.POST.get("code", ""), timezone.now())
    except Problem as problem:
        return _refused(request, problem)
    messages.success(request, _("%(amount)s was added.") % {"amount": money.show(coupon.amount_nanos)})
    return redirect("billing_credits")


def once_of(request: HttpRequest) -> str:
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
    has, wish = balance(workspace.pk), recharge.of(workspace.pk)
    may_pay = has_role(request, workspace, Role.ADMIN)
    bought = TopUp.objects.filter(workspace=workspace, status__in=["succeeded", "processing"]).order_by("-created_at")
    more = more or {}
    entered = more.get("entered", {})
    context = {
        "once": uuid.uuid4().hex,
        "balance": has,
        "spendable_nanos": has.promo_nanos + has.credit_nanos,
        "lots": lots.live(workspace.pk).exclude(expires_at__lte=now)[:50],
        "bought": bought[:50] if may_pay else [],
        "presets": PRESETS,
        "least_nanos": settings.TOP_UP_LEAST_NANOS,
        "most_nanos": settings.TOP_UP_MOST_NANOS,
        "expires_days": settings.CREDIT_EXPIRES_DAYS,
        "wish": wish,
        # What was entered, else what is wished, else what is usual.
        "amount": entered.get("amount", "25") if more.get("param") == "amount" else "25",
        "below": entered.get("below") or (money.decimal(wish.below_nanos) if wish else "5"),
        "recharge_amount": money.decimal(wish.amount_nanos) if wish else "25",
        "month": entered.get("month") or (money.decimal(wish.month_nanos) if wish else "100"),
        "to_confirm": recharge.to_confirm(workspace.pk),
        "month_nanos": recharge.bought_cents(workspace.pk, now) * money.NANOS_IN_CENT,
        "taxed": settings.STRIPE_TAX,
        "may_pay": may_pay,
        "paid": "paid" in request.GET,
    }
    if more.get("param") == "recharge-amount":
        context["recharge_amount"] = entered.get("amount", "")
    return render(request, "billing/stripe/credits.html", context | more, status=status)
