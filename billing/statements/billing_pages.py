"""/billing: plan, balance, this period, invoices."""

from __future__ import annotations

from typing import Any

from celery import current_app
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing import money
from billing.ledger.balances import balance
from billing.plans import subscribing
from billing.plans.allowances import open_workspace
from billing.plans.models import Plan
from billing.statements.statement import statement
from billing.stripe import checkout, inbox, previews
from billing.stripe.models import Invoice, Report, ReportState
from portal.accounts.access import require_role, workspace_of
from portal.accounts.models import Role, User
from portal.accounts.wire import problems
from portal.kit.errors import Problem


@login_required
def billing_page(request: HttpRequest) -> HttpResponse:
    """The whole page."""
    workspace = workspace_of(request)
    open_workspace(workspace)
    return render(request, "billing/statements/billing.html", _context(request))


@login_required
def plan_state(request: HttpRequest) -> HttpResponse:
    """The plan's part, which asks again until the payment has arrived."""
    return render(request, "billing/statements/_plan.html", _context(request))


@login_required
@require_POST
def subscribe(request: HttpRequest) -> HttpResponse:
    """Off to Checkout."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.ADMIN)
    plan = get_object_or_404(Plan, pk=request.POST.get("plan", ""), active=True)
    assert isinstance(request.user, User)
    here = request.build_absolute_uri("/billing")
    try:
        url = checkout.start(workspace, plan, request.user.email, f"{here}?paid={{CHECKOUT_SESSION_ID}}", here)
    except Problem as problem:
        messages.error(request, problem.message)
        return redirect("billing")
    return HttpResponseRedirect(url)


@login_required
@require_POST
def portal(request: HttpRequest) -> HttpResponse:
    """Off to the customer's portal."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.ADMIN)
    try:
        return HttpResponseRedirect(checkout.portal(workspace, request.build_absolute_uri("/billing")))
    except Problem as problem:
        messages.error(request, problem.message)
        return redirect("billing")


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """POST /stripe/webhook: verified by its signature over the raw body."""
    try:
        event_id = inbox.receive(request.body, request.headers.get("Stripe-Signature", ""))
    except Problem as problem:
        return problems.answer(problem, problems.body(problem))
    if event_id:
        # By name: jobs stand above their rooms' concepts. A lost message is found by the beat.
        current_app.send_task("billing.jobs.handle_stripe_event", [event_id])
    return HttpResponse("ok", content_type="text/plain")


def _context(request: HttpRequest) -> dict[str, Any]:
    workspace, now = workspace_of(request), timezone.now()
    subscription, has = subscribing.running(workspace.pk), balance(workspace.pk)
    context: dict[str, Any] = {
        "subscription": subscription,
        "plans": subscribing.offers(),
        "balance": {
            "credit": money.show(has.promo_nanos + has.credit_nanos),
            "held": money.show(has.held_nanos),
            "owed": money.show(has.owed_nanos),
        },
        "invoices": Invoice.objects.filter(workspace=workspace).order_by("-created_at")[:24],
        "waiting": subscription is None and "paid" in request.GET,
        "subscribed_before": subscription is not None or Invoice.objects.filter(workspace=workspace).exists(),
    }
    if subscription is None or subscription.period_start is None or subscription.period_end is None:
        return context
    said = statement(workspace.pk, subscription.period_start, subscription.period_end)
    unsent = Report.objects.filter(workspace=workspace).exclude(state=ReportState.ACCEPTED).count()
    try:
        preview = previews.preview_cents(subscription)
    except Problem as problem:
        preview, context["stripe_problem"] = None, problem.message
    return context | {
        "statement": said,
        "lines": [
            {
                "model": line.model,
                "requests": line.requests,
                "metered": money.show(line.metered_nanos),
                "credit": money.show(line.credit_nanos),
            }
            for line in said.lines
        ],
        "metered": money.show(said.metered_nanos),
        "total": f"${said.total_cents / 100:.2f}",
        "preview": None if preview is None else f"${preview / 100:.2f}",
        "agrees": preview == said.total_cents,
        "unsent": unsent,
        "now": now,
    }
