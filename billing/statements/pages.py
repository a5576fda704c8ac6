"""/usage: what was called, and what it cost."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import money
from billing.gate import leases
from billing.ledger.balances import balance
from billing.metering.log import Log
from billing.plans.allowances import open_workspace
from billing.statements import charts, revenue, usage
from portal.accounts.access import workspace_of
from portal.accounts.models import Key, Workspace


@login_required
def usage_page(request: HttpRequest) -> HttpResponse:
    """The figures, the chart, and the latest calls."""
    workspace, now = workspace_of(request), timezone.now()
    open_workspace(workspace)
    days = revenue.by_day(now, workspace.pk)
    context = {
        **_latest(request, workspace),
        **_figures(workspace, now),
        "days": [{"day": day, "cost": money.show(nanos), "requests": n} for day, nanos, n in reversed(days) if n],
        "chart": charts.by_day(_("Cost"), [(day, nanos) for day, nanos, _n in days]),
        "site_url": settings.SITE_URL,
    }
    return render(request, "billing/statements/usage.html", context)


@login_required
def latest(request: HttpRequest) -> HttpResponse:
    """The part of the page that refreshes itself."""
    workspace = workspace_of(request)
    return render(
        request,
        "billing/statements/_latest.html",
        {**_latest(request, workspace), **_figures(workspace, timezone.now())},
    )


def _figures(workspace: Workspace, now: datetime) -> dict[str, Any]:
    today = usage.totals(workspace.pk, now.replace(hour=0, minute=0, second=0, microsecond=0))
    month = usage.totals(workspace.pk, now.replace(day=1, hour=0, minute=0, second=0, microsecond=0))
    has = balance(workspace.pk)
    lent = leases.idle(workspace.pk)  # to our processes: it is the workspace's until it is used
    left = has.promo_nanos + has.credit_nanos + lent.get("promo", 0) + lent.get("credit", 0)
    return {
        "today": today,
        "month": month,
        "left": money.show(left),
        "today_cost": money.show(today.cost_nanos),
        "month_cost": money.show(month.cost_nanos),
    }


def _latest(request: HttpRequest, workspace: Workspace) -> dict[str, Any]:
    model, key_id = request.GET.get("model", ""), request.GET.get("key", "")
    page = usage.page(Log(workspace.pk, model=model, key_id=key_id), request.GET.get("cursor", ""))
    keys = dict(Key.objects.filter(workspace=workspace).values_list("pk", "name"))
    for event in page.events:
        event.key_name = keys.get(event.key_id, "")  # type: ignore[attr-defined] # for the template
        event.cost = money.show(event.cost_nanos)  # type: ignore[attr-defined] # as above
    return {"events": page.events, "next_cursor": page.next_cursor, "model": model, "key": key_id, "keys": keys}
