"""What a workspace may spend without having paid: its trial, grants, and a metered plan's limit."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from billing.ledger import balances, postings
from billing.plans.models import Subscription, SubscriptionState
from portal.accounts.models import Workspace


def open_workspace(workspace: Workspace) -> None:
    """Makes the workspace's accounts, and gives a personal one its trial credit, once. Called whenever first asked."""
    with transaction.atomic():
        postings.open_accounts(workspace.pk)
        if workspace.personal_of_id is not None:
            postings.grant_promo(
                workspace.pk, settings.TRIAL_CREDIT_NANOS, f"trial:{workspace.pk}", "Trial credit for a new workspace"
            )


def grant(workspace: Workspace, nanos: int, source: str, memo: str) -> bool:
    """Promotional credit from an operator; the same source gives it once."""
    with transaction.atomic():
        open_workspace(workspace)
        return postings.grant_promo(workspace.pk, nanos, source, memo)


def lock_fundings(workspace_id: str) -> dict[str, int]:
    """Balances by kind of what can fund usage, locked until the transaction ends; the accounts are made where missing."""
    found = balances.lock_fundings(workspace_id)
    if not found:
        open_workspace(Workspace.objects.get(pk=workspace_id))
        found = balances.lock_fundings(workspace_id)
    return found


def postpaid_limit(workspace_id: str) -> int:
    """Nano-dollars that the workspace may owe at most: its running metered plan's spending limit, else 0."""
    running = (
        Subscription.objects.select_related("plan")
        .filter(workspace_id=workspace_id, state=SubscriptionState.ACTIVE, plan__metered=True)
        .first()
    )
    return running.plan.spending_limit_nanos if running else 0
