"""/billing: plan, balance, this cycle and its forecast, invoices, and what Stripe says of both."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import money
from billing.ledger import lots
from billing.ledger.balances import balance
from billing.plans import subscribing
from billing.plans.allowances import open_workspace
from billing.statements import charts
from billing.statements.cycle import cycle
from billing.statements.statement import statement
from billing.stripe import cards, previews
from billing.stripe.models import Invoice, Report, ReportState
from billing.stripe.plan_pages import plan_context
from portal.accounts.access import has_role, workspace_of
from portal.accounts.models import Role
from portal.kit.errors import Problem

MOST_LOTS = 20


@login_required
def billing_page(request: HttpRequest) -> HttpResponse:
    """The whole page. Invoices and the card are for those who may pay: administrators and owners."""
    workspace, now = workspace_of(request), timezone.now()
    open_workspace(workspace)
    has, running = balance(workspace.pk), subscribing.running(workspace.pk)
    pays = has_role(request, workspace, Role.ADMIN)
    invoices = Invoice.objects.filter(workspace=workspace).order_by("-created_at")[:24]
    this = cycle(workspace.pk, running, now)
    context = {
        **plan_context(request),
        "balance": has,
        "spendable_nanos": has.promo_nanos + has.credit_nanos,
        "lots": lots.live(workspace.pk)[:MOST_LOTS],
        "cycle": this,
        "chart": charts.by_day(_("Cost"), [(f"{day}", nanos) for day, nanos, _n in this.days]) if this.nanos else None,
        "pays": pays,
        "invoices": invoices if pays else [],
        "subscribed_before": running is not None or invoices.exists(),
        "now": now,
    }
    if running is not None and running.period_start and running.period_end:
        said = statement(workspace.pk, running.period_start, running.period_end)
        context |= {"statement": said, "total": money.show(said.total_cents * money.NANOS_IN_CENT)}
    return render(request, "billing/statements/billing.html", context)


@login_required
def at_stripe(request: HttpRequest) -> HttpResponse:
    """The part that Stripe is asked for: the card, and its invoice so far beside our statement."""
    workspace = workspace_of(request)
    running = subscribing.running(workspace.pk)
    context: dict[str, Any] = {"subscription": running}
    try:
        if has_role(request, workspace, Role.ADMIN):
            context |= {"card": cards.default_card(workspace.pk), "pays": True}
        if running is not None and running.period_start and running.period_end:
            preview = previews.preview_cents(running)
            said = statement(workspace.pk, running.period_start, running.period_end)
            unsent = Report.objects.filter(workspace=workspace).exclude(state=ReportState.ACCEPTED).count()
            context |= {
                "preview": None if preview is None else money.show(preview * money.NANOS_IN_CENT),
                "agrees": preview == said.total_cents,
                "unsent": unsent,
            }
    except Problem as problem:
        context["stripe_problem"] = problem.message
    return render(request, "billing/statements/_stripe.html", context)
