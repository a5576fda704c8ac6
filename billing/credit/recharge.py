"""When credit is bought by itself: rules and rows. stripe/recharging.py makes the calls.

One attempt at a time, never more than the month's ceiling, never the same failure in a loop: a declined card is tried again
after an hour and after six, then it is paused until somebody sees to it; a card whose bank wants its owner is paused at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import money
from billing.credit.models import AttemptState, AutoRecharge, RechargeAttempt
from billing.errors import MoneyInvalid, PlanProblem
from billing.money import NANOS_IN_CENT
from portal.accounts import mails
from portal.accounts.models import Workspace
from portal.kit.caches import RecentValues

LOOK_EVERY = timedelta(minutes=1)
AGAIN_AFTER = (timedelta(hours=1), timedelta(hours=6))
MOST_FAILURES = 3

_wished: RecentValues[str, bool] = RecentValues(
    lambda workspace_id: AutoRecharge.objects.filter(pk=workspace_id, enabled=True, paused=False).exists(), 5.0
)


def of(workspace_id: str) -> AutoRecharge | None:
    """The workspace's wish, if it ever had one."""
    return AutoRecharge.objects.filter(pk=workspace_id).first()


def wish(workspace: Workspace, given: Mapping[str, str]) -> AutoRecharge:
    """Turns it on with `below`, `amount` and `month` in dollars, and begins anew after failures.

    Raises MoneyInvalid (422), with the field in `param`, and PlanProblem (409) where taxes are worked out: only Checkout
    does that, so nothing may be sold without it. Then nothing has changed.
    """
    if settings.STRIPE_TAX:
        raise PlanProblem(_("Credit cannot be bought by itself here, because a tax is added to it: buy it yourself."))
    below = _amount(given, "below", NANOS_IN_CENT, settings.TOP_UP_MOST_NANOS)
    amount = _amount(given, "amount", settings.TOP_UP_LEAST_NANOS, settings.TOP_UP_MOST_NANOS)
    month = _amount(given, "month", amount, 100 * settings.TOP_UP_MOST_NANOS)
    now = timezone.now()
    found, _new = AutoRecharge.objects.update_or_create(
        workspace=workspace,
        defaults={
            "enabled": True, "paused": False, "failures": 0, "not_before": now, "wanted_at": None, "below_nanos": below,
            "amount_cents": amount // NANOS_IN_CENT, "month_cents": month // NANOS_IN_CENT,
        },
    )  # fmt: skip
    _wished.forget(workspace.pk)
    return found


def stop(workspace: Workspace) -> None:
    """Turns it off."""
    AutoRecharge.objects.filter(workspace=workspace).update(enabled=False)
    _wished.forget(workspace.pk)


def pause(workspace_id: str) -> None:
    """Buys nothing by itself until somebody turns it on again."""
    AutoRecharge.objects.filter(pk=workspace_id).update(paused=True)
    _wished.forget(workspace_id)


def want(workspace_id: str) -> None:
    """A request was refused for want of credit: look soon. A mark, and mostly not even that."""
    if _wished.get(workspace_id):
        marked = AutoRecharge.objects.filter(pk=workspace_id, wanted_at=None)
        if marked.exists():
            marked.update(wanted_at=timezone.now())


def due(now: datetime) -> list[AutoRecharge]:
    """Wishes to look at: not looked at for a minute, or wanted."""
    if settings.STRIPE_TAX:
        return []
    wished = AutoRecharge.objects.filter(enabled=True, paused=False)
    # After a failure even a refusal waits: failures set not_before far ahead.
    soon = Q(not_before__lte=now) | Q(wanted_at__isnull=False, not_before__lte=now + LOOK_EVERY)
    return list(wished.filter(soon).order_by("not_before")[:500])


def begin(workspace_id: str, spendable_nanos: int, card: str, now: datetime) -> RechargeAttempt | None:
    """The attempt to make now, as a row; None where none is needed, allowed or possible."""
    with transaction.atomic():
        wish = AutoRecharge.objects.select_for_update().filter(pk=workspace_id, enabled=True, paused=False).first()
        if wish is None or wish.not_before > now + LOOK_EVERY:
            return None
        AutoRecharge.objects.filter(pk=workspace_id).update(not_before=now + LOOK_EVERY, wanted_at=None)
        if spendable_nanos >= wish.below_nanos:
            return None
        if bought_cents(workspace_id, now) + wish.amount_cents > wish.month_cents:
            month = f"{now.astimezone(UTC):%Y-%m}"
            context = {"limit": money.show(wish.month_nanos), "balance": money.show(spendable_nanos)}
            mails.post(
                f"recharge:{workspace_id}:ceiling:{month}", workspace_id, "billing/recharge_ceiling.txt", context
            )
            return None
        try:
            with transaction.atomic():
                return RechargeAttempt.objects.create(
                    workspace_id=workspace_id, cents=wish.amount_cents, card=card, created_at=now
                )
        except IntegrityError:
            return None  # one is under way


def bought_cents(workspace_id: str, now: datetime) -> int:
    """What was or may yet be bought by itself in this calendar month (UTC), in cents."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    attempts = RechargeAttempt.objects.filter(workspace_id=workspace_id, created_at__gte=first)
    kept = attempts.exclude(state=AttemptState.FAILED)
    return int(kept.aggregate(cents=Sum("cents", default=0))["cents"])


def succeeded(attempt_id: str, payment: str) -> None:
    """It was paid, now or by its owner's confirmation later: failures are forgotten."""
    with transaction.atomic():
        found = RechargeAttempt.objects.select_for_update().filter(pk=attempt_id).first()
        if found is None or found.state == AttemptState.SUCCEEDED:
            return
        RechargeAttempt.objects.filter(pk=attempt_id).update(state=AttemptState.SUCCEEDED, payment=payment, error="")
        AutoRecharge.objects.filter(pk=found.workspace_id).update(failures=0, paused=False, not_before=timezone.now())
    _wished.forget(found.workspace_id)


def failed(attempt: RechargeAttempt, payment: str, reason: str, now: datetime, confirm: bool = False) -> None:
    """The card was declined, or (`confirm`) its bank wants its owner: mailed, and tried later or paused."""
    state = AttemptState.CONFIRM if confirm else AttemptState.FAILED
    with transaction.atomic():
        mine = RechargeAttempt.objects.filter(pk=attempt.pk, state=AttemptState.OPEN)
        if not mine.update(state=state, payment=payment, error=reason[:200]):
            return
        wish = AutoRecharge.objects.select_for_update().get(pk=attempt.workspace_id)
        wish.failures += 1
        wish.paused = confirm or wish.failures >= MOST_FAILURES
        if not wish.paused:
            wish.not_before = now + AGAIN_AFTER[wish.failures - 1]
        wish.save()
        context = {
            "amount": money.show(attempt.cents * NANOS_IN_CENT), "reason": reason, "paused": wish.paused,
            "again_at": wish.not_before, "attempt": attempt.pk,
        }  # fmt: skip
        template = "billing/recharge_confirm.txt" if confirm else "billing/recharge_failed.txt"
        mails.post(f"recharge:{attempt.pk}:{state}", attempt.workspace_id, template, context)
    _wished.forget(attempt.workspace_id)


def to_confirm(workspace_id: str) -> RechargeAttempt | None:
    """The recharge that waits for its owner's confirmation, if the last one does."""
    last = RechargeAttempt.objects.filter(workspace_id=workspace_id).order_by("-created_at", "-pk").first()
    return last if last is not None and last.state == AttemptState.CONFIRM else None


def _amount(given: Mapping[str, str], field: str, least: int, most: int) -> int:
    try:
        nanos = money.parse(given.get(field, ""))
    except MoneyInvalid as error:
        raise MoneyInvalid(_("Write an amount in dollars like 25 or 25.50."), param=field) from error
    if not least <= nanos <= most or nanos % NANOS_IN_CENT:
        told = {"least": money.show(least), "most": money.show(most)}
        raise MoneyInvalid(_("Choose whole cents from %(least)s to %(most)s.") % told, param=field)
    return nanos
