"""Making, changing and ending budgets: the one way, for the page and for whoever else asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.errors import BudgetInvalid, MoneyInvalid
from billing.gate import alerts, binding, caps
from billing.gate.models import Budget, Period
from billing.gate.periods import bounds
from billing.gate.spending import spent
from billing.prices import notation
from portal.accounts.models import Key, Membership, User, Workspace

MOST_BUDGETS = 200  # of a workspace, those of its keys' own caps aside
MOST_THRESHOLDS = 10
HIGHEST = 1_000  # per cent


@dataclass(frozen=True, slots=True)
class Wish:
    """A budget as somebody wants it. `key_id` and `member_id`: whom it is for; neither: the whole workspace."""

    period: str
    amount: str | int  # dollars
    stops: bool
    thresholds: tuple[int, ...]
    name: str = ""
    key_id: str = ""
    member_id: int | None = None


def make(workspace: Workspace, wish: Wish) -> Budget:
    """A new budget, in force within a second. Raises BudgetInvalid and MoneyInvalid with the field in `param`."""
    if Budget.objects.filter(workspace=workspace).exclude(thresholds=[]).count() >= MOST_BUDGETS:
        raise BudgetInvalid(_("A workspace has %(n)d budgets at most.") % {"n": MOST_BUDGETS})
    return _save(Budget(workspace=workspace), workspace, wish)


def change(budget: Budget, wish: Wish) -> Budget:
    """The budget, changed. What was told in this period is not told again, unless the new amount is not that far spent."""
    return _save(budget, budget.workspace, wish)


def end(budget: Budget) -> None:
    """It neither stops nor tells any more, within a second."""
    budget.delete()
    binding.forget()


def _save(budget: Budget, workspace: Workspace, wish: Wish) -> Budget:
    limit = _amount(wish.amount)
    if wish.period not in Period.values:
        raise BudgetInvalid(_("The period is one of %(all)s.") % {"all": ", ".join(Period.values)}, param="/period")
    if len(wish.name) > 80:
        raise BudgetInvalid(_("The name has 80 characters at most."), param="/name")
    try:
        with transaction.atomic():
            budget.key, budget.member = _key(workspace, wish), _member(workspace, wish)
            budget.name, budget.period, budget.thresholds = wish.name.strip(), wish.period, _thresholds(wish)
            if wish.stops:
                caps.impose(budget, limit, param="/amount")
            else:
                start = bounds(budget.period, timezone.now())[0]
                budget.limit_nanos, budget.stops, budget.used_nanos, budget.period_start = limit, False, 0, start
                caps.write(budget)
            _rearm(budget)
    except IntegrityError as error:
        raise BudgetInvalid(
            _("There is one like this for that period already: change that one."), param="/period", status=409
        ) from error
    return budget


def _rearm(budget: Budget) -> None:
    """Thresholds that the changed budget has not reached are told when it does."""
    start = bounds(budget.period, timezone.now())[0]
    kept = Budget.objects.select_for_update().get(pk=budget.pk)
    told = [] if kept.told_since < start else kept.told
    if told:
        reached = alerts.reached(kept, spent(kept, start))
        told = [percent for percent in told if percent in reached]
    Budget.objects.filter(pk=kept.pk).update(told=told, told_since=start)


def _amount(value: str | int) -> int:
    nanos = notation.amount(value, "/amount")
    if nanos == 0:
        raise MoneyInvalid(_("A budget is more than nothing."), param="/amount")
    return nanos


def _thresholds(wish: Wish) -> list[int]:
    found: list[Any] = sorted(set(wish.thresholds))
    if len(found) > MOST_THRESHOLDS or any(not 1 <= percent <= HIGHEST for percent in found):
        raise BudgetInvalid(
            _("Thresholds are %(n)d per cents at most, from 1 to %(highest)d.")
            % {"n": MOST_THRESHOLDS, "highest": HIGHEST},
            param="/thresholds",
        )
    if not found and not wish.stops:
        raise BudgetInvalid(_("A budget that does not stop needs a threshold to tell at."), param="/thresholds")
    return found


def _key(workspace: Workspace, wish: Wish) -> Key | None:
    if not wish.key_id:
        return None
    # Locked before all that a cap locks, as who changes a key does.
    found = Key.objects.select_for_update().filter(workspace=workspace, pk=wish.key_id).first()
    if found is None or wish.member_id is not None:
        raise BudgetInvalid(_("Choose a key of this workspace."), param="/for")
    return found


def _member(workspace: Workspace, wish: Wish) -> User | None:
    if wish.member_id is None:
        return None
    found = Membership.objects.filter(workspace=workspace, user=wish.member_id).select_related("user").first()
    if found is None:
        raise BudgetInvalid(_("Choose a member of this workspace."), param="/for")
    return found.user
