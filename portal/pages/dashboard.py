"""The first page of the operators' console: people, models, usage, revenue, and what needs a look."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import money
from billing.models import BalanceDay, LateUsage, Payout, Reconciliation, Report, StripeEvent
from billing.statements import revenue
from marketplace.models import Model, Run
from portal.accounts.models import Key, User, Workspace


def operator_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Fills the template templates/admin/index.html."""
    days = revenue.by_day(timezone.now())
    names = dict(Workspace.objects.values_list("pk", "slug"))
    most = max((nanos for _day, nanos, _n in days), default=0) or 1
    context |= {
        "figures": [
            (_("People"), f"{User.objects.count():,}"),
            (_("Workspaces"), f"{Workspace.objects.count():,}"),
            (_("Models live"), f"{Model.objects.exclude(live_version=None).count():,}"),
            (_("Keys in use"), f"{Key.objects.filter(revoked_at=None).count():,}"),
            (_("Requests today"), f"{days[-1][2]:,}"),
            (_("Usage, 30 days"), money.show(sum(nanos for _day, nanos, _n in days))),
        ],
        "days": [(day, money.show(nanos), n, round(100 * nanos / most)) for day, nanos, n in days],
        "workspaces": [
            (names.get(workspace_id, workspace_id), money.show(nanos), n)
            for workspace_id, nanos, n in revenue.top_workspaces(timezone.now())
        ],
        "worries": [
            (_("Reports refused by Stripe"), Report.objects.filter(state="rejected").count()),
            (_("Late usage refused by Stripe"), LateUsage.objects.filter(state="rejected").count()),
            (_("Days that stay different at Stripe"), Reconciliation.objects.filter(outcome="stuck").count()),
            (_("Days on which Stripe's balance differs"), BalanceDay.objects.filter(outcome="stuck").count()),
            (_("Stripe events that fail"), StripeEvent.objects.filter(handled_at=None, attempts__gt=0).count()),
            (_("Payouts that wait for funds"), Payout.objects.filter(state="waiting").count()),
            (_("Trainings that failed"), Run.objects.filter(state="failed").count()),
        ],
    }
    return context
