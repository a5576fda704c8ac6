"""What becomes of a workspace that does not pay: grace, reduced limits, suspended; restored at once when it pays.

| step | from the first failure | postpaid usage | requests a minute of a key |
|---|---|---|---|
| grace | at once | as before | as before |
| reduced | settings.DUNNING_GRACE_DAYS | a quarter of the plan's limit | 10 |
| suspended | settings.DUNNING_SUSPEND_DAYS | refused; credit can still be spent | 10 |

Stripe goes on trying meanwhile. Each step mails once, with the link to pay. The row is the truth: advancing twice, late or
in two processes leads to the same.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing import money
from billing.plans.models import DunningStep, Overdue, Subscription, SubscriptionState
from portal.accounts import mails
from portal.kit.caches import RecentValues

REDUCED_RPM = 10


def step_at(since: datetime, now: datetime) -> DunningStep:
    """The step of an invoice whose payment failed first at `since`."""
    if now >= since + timedelta(days=settings.DUNNING_SUSPEND_DAYS):
        return DunningStep.SUSPENDED
    if now >= since + timedelta(days=settings.DUNNING_GRACE_DAYS):
        return DunningStep.REDUCED
    return DunningStep.GRACE


def current(workspace_id: str) -> Overdue | None:
    """What is unpaid right now."""
    return Overdue.objects.filter(workspace_id=workspace_id, ended_at=None).first()


_steps: RecentValues[str, DunningStep | None] = RecentValues(
    lambda workspace_id: DunningStep(found.step) if (found := current(workspace_id)) else None,
    settings.CATALOG_MAX_AGE_S,
)


def step(workspace_id: str) -> DunningStep | None:
    """The step the workspace is in, at most a second old; None for one that owes nothing overdue."""
    return _steps.get(workspace_id)


def begin(workspace_id: str, invoice: str, since: datetime, due_cents: int, pay_url: str) -> None:
    """A payment failed, or another one while one is unpaid: then the first failure counts."""
    overdue, _new = Overdue.objects.get_or_create(
        workspace_id=workspace_id,
        ended_at=None,
        defaults={"since": since, "invoice": invoice, "due_cents": due_cents, "pay_url": pay_url},
    )
    Overdue.objects.filter(pk=overdue.pk).update(invoice=invoice, due_cents=due_cents, pay_url=pay_url)
    overdue.refresh_from_db()
    _mail(overdue, DunningStep(overdue.step))
    _steps.forget(workspace_id)


def end(workspace_id: str, now: datetime) -> bool:
    """Nothing is unpaid: all works again. False where nothing was."""
    with transaction.atomic():
        overdue = Overdue.objects.select_for_update().filter(workspace_id=workspace_id, ended_at=None).first()
        if overdue is None:
            return False
        Overdue.objects.filter(pk=overdue.pk).update(ended_at=now)
        Subscription.objects.filter(workspace_id=workspace_id, state=SubscriptionState.SUSPENDED).update(
            state=SubscriptionState.PAST_DUE
        )  # active as soon as Stripe says so
        mails.post(f"dunning:{overdue.pk}:restored", workspace_id, "billing/restored.txt")
    _steps.forget(workspace_id)
    return True


def advance(now: datetime) -> int:
    """Moves everybody on whose time has come; how many moved."""
    moved = 0
    for overdue in Overdue.objects.filter(ended_at=None).exclude(step=DunningStep.SUSPENDED):
        then = step_at(overdue.since, now)
        if then == overdue.step:
            continue
        with transaction.atomic():
            # Conditional: it may have been paid, or moved by another worker, meanwhile.
            mine = Overdue.objects.filter(pk=overdue.pk, ended_at=None, step=overdue.step)
            if not mine.update(step=then):
                continue
            if then == DunningStep.SUSPENDED:
                Subscription.objects.filter(
                    workspace_id=overdue.workspace_id, state__in=[SubscriptionState.ACTIVE, SubscriptionState.PAST_DUE]
                ).update(state=SubscriptionState.SUSPENDED)
            _mail(overdue, then)
        _steps.forget(overdue.workspace_id)
        moved += 1
    return moved


def _mail(overdue: Overdue, step: DunningStep) -> None:
    grace = overdue.since + timedelta(days=settings.DUNNING_GRACE_DAYS)
    suspend = overdue.since + timedelta(days=settings.DUNNING_SUSPEND_DAYS)
    context = {
        "amount": money.show(overdue.due_nanos),
        "pay_url": overdue.pay_url or f"{settings.SITE_URL}/billing",
        "reduced_on": timezone.localtime(grace).date(),
        "suspended_on": timezone.localtime(suspend).date(),
        "rpm": REDUCED_RPM,
    }
    mails.post(f"dunning:{overdue.pk}:{step}", overdue.workspace_id, f"billing/dunning_{step}.txt", context)
