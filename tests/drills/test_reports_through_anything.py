"""Random days at a bad line: faults, outages, wrong clocks, dropped usage, ends of periods. Then each sum is as it should be."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.db.models import Sum

from billing.stripe import drafts, late, previews, reconciliation, reports
from billing.stripe.models import Invoice, LateUsage, Outcome, Reconciliation
from tests.fixtures.reporting import Metered

pytestmark = pytest.mark.slow
STEPS = 24
FAULTS = ("lose_reply", "rate_limit", "server_error", "drop_usage", "drop_usage")


def jobs(metered: Metered) -> None:
    """One round of each."""
    metered.stripe.catch_up()
    metered.report()
    reports.sweep(metered.now)
    reconciliation.check_due(metered.now)
    drafts.watch(metered.now)
    late.bill_due(metered.now)


def open_micros(metered: Metered) -> int:
    cents = previews.preview_cents(metered.subscription)
    assert cents is not None
    return cents * 10_000


@pytest.mark.parametrize("seed", [2, 13])
def test_after_random_days_stripe_has_what_was_used_and_invoices_bill_it_once(metered: Metered, seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(STEPS):
        act = dice.random()
        if act < 0.45:
            metered.use(dice.randrange(1, 9_999_999), metered.now - timedelta(minutes=dice.randrange(0, 50)))
        elif act < 0.6:
            metered.fault(dice.choice(FAULTS), count=dice.randrange(1, 4))
        elif act < 0.65:
            metered.sandbox.kill()
            metered.sandbox.start()
        elif act < 0.7:
            end = metered.subscription.period_end
            assert end is not None
            metered.passes(seconds=max(int((end - timedelta(minutes=20) - metered.now).total_seconds()), 60))
        else:
            metered.passes(minutes=dice.choice([1, 7, 31, 61]))
        jobs(metered)
    metered.sandbox.kill()  # forgets the faults that did not happen
    metered.sandbox.start()
    for _ in range(40):
        metered.passes(hours=1)
        jobs(metered)
    assert reports.differences() == []
    assert metered.agree()
    assert not Reconciliation.objects.filter(outcome__in=[Outcome.STUCK, Outcome.DIFFERS]).exists()
    billed = Invoice.objects.exclude(status="draft").aggregate(n=Sum("usage_micros", default=0))["n"]
    billed += LateUsage.objects.aggregate(n=Sum("value", default=0))["n"]
    rest = metered.ours() - billed
    assert abs(rest - open_micros(metered)) <= 5_000 + late.LEAST_MICROS, (
        "all the rest is on the next invoice, to the cent"
    )
