"""What a workspace may spend without having paid: its trial, grants, and a metered plan's limit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from billing.ledger import balances, lots, postings
from billing.plans import dunning, subscribing
from billing.plans.models import DunningStep
from portal.accounts.models import Workspace


def open_workspace(workspace: Workspace) -> None:
    """Makes the workspace's accounts, and gives a personal one its trial credit, once. Called whenever first asked."""
    with transaction.atomic():
        postings.open_accounts(workspace.pk)
        if workspace.personal_of_id is not None:
            postings.grant_promo(
                workspace.pk,
                settings.TRIAL_CREDIT_NANOS,
                f"trial:{workspace.pk}",
                gettext_noop("Trial credit for a new workspace"),
            )


def grant(workspace: Workspace, nanos: int, source: str, memo: str, expires_at: datetime | None = None) -> bool:
    """Promotional credit from an operator; the same source gives it once."""
    with transaction.atomic():
        open_workspace(workspace)
        return postings.grant_promo(workspace.pk, nanos, source, memo, expires_at)


def lock_fundings(workspace_id: str) -> dict[str, int]:
    """Balances by kind of what can fund usage, locked until the transaction ends.

    The accounts are made where missing, and credit that is over is taken out first: nobody borrows it.
    """
    found = balances.lock_fundings(workspace_id)
    over = list(lots.expired(timezone.now()).filter(workspace_id=workspace_id))
    if over:
        for lot in over:
            postings.expire(lot.pk)
        found = balances.lock_fundings(workspace_id)
    if not found:
        open_workspace(Workspace.objects.get(pk=workspace_id))
        found = balances.lock_fundings(workspace_id)
    return found


def renew(workspace_id: str, now: datetime) -> bool:
    """Gives the month's included usage of a plan without subscription, once a month; whether it was given now.

    The month in which the workspace was made has its trial credit instead. Asked when credit is short, so that only who
    uses it gets it.
    """
    month = bounds_of_month(now)
    workspace = Workspace.objects.get(pk=workspace_id)
    plan = subscribing.plan_of(workspace_id)
    if plan.metered or not plan.included_nanos or workspace.created_at >= month[0]:
        return False
    memo = f"{plan.name}: {month[0]:%Y-%m}"
    return postings.grant_promo(
        workspace_id, plan.included_nanos, f"allowance:{workspace_id}:{month[0]:%Y-%m}", memo, month[1]
    )


def postpaid_limit(workspace_id: str) -> int:
    """Nano-dollars that the workspace may owe at most: its running metered plan's spending limit, less while an invoice is
    overdue, else 0."""
    subscription = subscribing.running(workspace_id)
    if subscription is None or not subscription.plan.metered:
        return 0
    limit = subscription.plan.spending_limit_nanos
    overdue = dunning.current(workspace_id)
    if overdue is None or overdue.step == DunningStep.GRACE:
        return limit
    return limit // 4 if overdue.step == DunningStep.REDUCED else 0


def bounds_of_month(now: datetime) -> tuple[datetime, datetime]:
    """When the month around `now` began and when it ends, in UTC."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first, (first + timedelta(days=32)).replace(day=1)
