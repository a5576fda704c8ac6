"""The Free plan: a little promotional credit each month, given when it is needed, gone with the month."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.errors import NoBudget
from billing.gate import holds, tending
from billing.ledger import postings
from billing.ledger.models import Lot
from billing.money import NANOS
from billing.plans.allowances import bounds_of_month, open_workspace, renew
from billing.plans.models import Plan
from billing.plans.seeds import FREE, seed_plans
from portal.accounts.models import Workspace


@pytest.fixture
def old(workspace: Workspace) -> Workspace:
    """A workspace that has spent its trial credit in a month before."""
    seed_plans()
    open_workspace(workspace)
    postings.adjust(workspace.pk, "promo", -NANOS, "test:spent", "for a test")
    Workspace.objects.filter(pk=workspace.pk).update(created_at=timezone.now() - timedelta(days=70))
    return workspace


def test_a_hold_that_needs_it_gets_it(old: Workspace) -> None:
    held = holds.hold(old.pk, "", NANOS // 5)
    holds.release(held)
    tending.close_leases()
    lot = Lot.objects.get(source__startswith="allowance:")
    assert (lot.amount_nanos, lot.expires_at) == (NANOS // 4, bounds_of_month(timezone.now())[1])
    with pytest.raises(NoBudget):
        holds.hold(old.pk, "", NANOS // 3)


def test_it_comes_once_a_month(old: Workspace) -> None:
    now = timezone.now()
    assert [renew(old.pk, now) for _ in range(3)] == [True, False, False]
    assert renew(old.pk, bounds_of_month(now)[1])


def test_the_month_of_the_trial_has_none(workspace: Workspace) -> None:
    seed_plans()
    assert not renew(workspace.pk, timezone.now())


def test_who_bought_credit_is_on_prepaid_and_has_none(old: Workspace) -> None:
    postings.top_up(old.pk, NANOS, "test:bought")
    assert not renew(old.pk, timezone.now())


def test_an_operator_can_end_it(old: Workspace) -> None:
    Plan.objects.filter(pk=FREE).update(included_nanos=0)
    assert not renew(old.pk, timezone.now())
