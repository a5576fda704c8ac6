"""/billing/budgets: what is to be spent, what was, and what is set aside right now."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from billing.gate import budgets, standing
from billing.gate.forms import BudgetForm
from billing.gate.models import Budget
from portal.accounts.access import has_role, require_role, thing_of, workspace_of
from portal.accounts.models import Role
from portal.kit.errors import Problem


@login_required
@never_cache
def budgets_page(request: HttpRequest) -> HttpResponse:
    """All budgets of the workspace, a form for another, and what is lent right now."""
    workspace, now = workspace_of(request), timezone.now()
    form = BudgetForm(request.POST if request.method == "POST" else None, workspace=workspace)
    if request.method == "POST":
        require_role(request, workspace, Role.ADMIN)
        if form.is_valid():
            try:
                budgets.make(workspace, form.wish())
            except Problem as problem:
                form.refused(problem)
            else:
                messages.success(request, _("The budget is made. It counts within a second."))
                return redirect("billing_budgets")
    context = {
        "form": form,
        "rows": standing.budgets(workspace.pk, now),
        "holdings": standing.holdings(workspace.pk, now),
        "may_change": has_role(request, workspace, Role.ADMIN),
    }
    return render(request, "billing/gate/budgets.html", context, status=422 if form.errors else 200)


@login_required
@never_cache
def budget_page(request: HttpRequest, budget_id: int) -> HttpResponse:
    """One budget, to be changed."""
    workspace = workspace_of(request)
    if request.method == "POST":
        require_role(request, workspace, Role.ADMIN)
    found = thing_of(workspace, Budget.objects.select_related("key", "member", "workspace"), pk=budget_id)
    form = BudgetForm(request.POST if request.method == "POST" else None, workspace=workspace, budget=found)
    if request.method == "POST" and form.is_valid():
        try:
            budgets.change(found, form.wish())
        except Problem as problem:
            form.refused(problem)
            found.refresh_from_db()
        else:
            messages.success(request, _("Saved. It counts within a second."))
            return redirect("billing_budgets")
    context = {
        "form": form,
        "row": standing.of(found, timezone.now()),
        "may_change": has_role(request, workspace, Role.ADMIN),
    }
    return render(request, "billing/gate/budget.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def end_budget(request: HttpRequest, budget_id: int) -> HttpResponse:
    """Ends a budget."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.ADMIN)
    budgets.end(thing_of(workspace, Budget.objects.all(), pk=budget_id))
    messages.success(request, _("The budget is ended: it neither stops nor tells any more."))
    return redirect("billing_budgets")
