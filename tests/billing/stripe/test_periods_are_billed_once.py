"""Periods that end in the middle of an hour, subscriptions in the middle of a period: each micro-dollar is on one invoice."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db.models import Sum

from billing.errors import PlanProblem, StripeUnavailable
from billing.plans import subscribing
from billing.plans.models import Plan, SubscriptionState
from billing.plans.subscribing import PRO
from billing.stripe import drafts, ending, late, previews, reconciliation, reports, subscriptions
from billing.stripe.client import client, linked
from billing.stripe.models import Invoice, LateUsage, Report, ReportState
from tests.fixtures.reporting import EVENTS, Metered

MINUTE = timedelta(minutes=1)


def to_the_end(metered: Metered, less: timedelta) -> datetime:
    """Lets the time pass to shortly before the period's end; which is when."""
    end = metered.subscription.period_end
    assert end is not None
    metered.passes(seconds=int((end - less - metered.now).total_seconds()))
    return end


def goes_on(metered: Metered, **time: float) -> None:
    """Time passes, Stripe tells, the jobs run."""
    metered.passes(**time)
    metered.stripe.catch_up()
    metered.report()


def invoiced(metered: Metered) -> int:
    """Micro-dollars on final invoices, late items included."""
    final = Invoice.objects.filter(workspace=metered.workspace).exclude(status="draft")
    items = LateUsage.objects.filter(workspace=metered.workspace, state=ReportState.ACCEPTED)
    return int(final.aggregate(n=Sum("usage_micros", default=0))["n"] + items.aggregate(n=Sum("value", default=0))["n"])


def cycle(metered: Metered) -> Invoice:
    """The invoice of the period that ended last."""
    return Invoice.objects.filter(workspace=metered.workspace, usage_micros__gt=0).latest("usage_end")


def test_a_boundary_in_the_middle_of_an_hour_splits_the_usage_and_late_usage_is_on_its_invoice(
    metered: Metered,
) -> None:
    end = to_the_end(metered, 20 * MINUTE)
    metered.use(1_234_567)
    metered.report()
    metered.use(2_000_900, end - timedelta(seconds=1))
    metered.use(4_000_000, end)
    goes_on(metered, minutes=25)
    metered.use(8_000_333)
    goes_on(metered, minutes=65)
    metered.report_all()
    assert metered.agree()
    assert (cycle(metered).status, cycle(metered).usage_micros) == ("paid", (1_234_567 + 2_000_900) // 1000)
    assert invoiced(metered) == cycle(metered).usage_micros
    open_cents = previews.preview_cents(metered.subscription)
    assert open_cents == round((metered.ours() - invoiced(metered)) / 10_000)


def test_usage_found_after_its_invoice_is_closed_is_on_the_next_one(metered: Metered) -> None:
    end = to_the_end(metered, 20 * MINUTE)
    goes_on(metered, minutes=90)
    metered.use(30_000_000, end - MINUTE)
    metered.report_all()
    assert Report.objects.get().timestamp == metered.subscription.period_start
    assert metered.agree()
    assert late.find(metered.workspace.pk, metered.passes(hours=5)) is None
    assert previews.preview_cents(metered.subscription) == 3


def test_an_outage_over_the_end_of_a_period_leaves_usage_that_is_invoiced_late_once(metered: Metered) -> None:
    end = to_the_end(metered, 20 * MINUTE)
    metered.use(40_000_000)
    metered.sandbox.kill()
    metered.report()
    assert Report.objects.get().timestamp < end
    metered.passes(stripes_too=False, hours=3)
    metered.sandbox.start()
    metered.sandbox.control("clock", advance_s=3 * 3600)
    metered.stripe.catch_up()
    metered.report_all()
    assert metered.agree()
    assert invoiced(metered) == 0, "the invoice was final before the usage came"
    metered.passes(hours=3)
    assert late.bill_due(metered.now) == 1
    assert late.bill_due(metered.passes(hours=1)) == 0
    assert invoiced(metered) == 40_000
    to_the_end(metered, -2 * 60 * MINUTE)
    metered.stripe.catch_up()
    assert sum(Invoice.objects.values_list("total_cents", flat=True)) == 4
    assert late.bill_due(metered.passes(hours=3)) == 0


def test_a_draft_that_lacks_usage_is_mended_before_it_is_final(metered: Metered) -> None:
    to_the_end(metered, 20 * MINUTE)
    metered.use(50_000_000)
    metered.fault("drop_usage")
    metered.report()
    goes_on(metered, minutes=22)
    assert drafts.watch(metered.now) == 1
    reconciliation.check_due(metered.now)
    goes_on(metered, minutes=21)
    drafts.watch(metered.now)
    reconciliation.check_due(metered.now)
    goes_on(metered, minutes=1)
    goes_on(metered, minutes=60)
    assert (cycle(metered).status, cycle(metered).usage_micros) == ("paid", 50_000)
    assert metered.agree()


def test_ending_now_bills_all_that_was_used_and_what_comes_after_it_once(metered: Metered) -> None:
    metered.use(20_000_000)
    metered.report()
    metered.passes(hours=5)
    metered.use(30_000_400)
    ending.end_now(metered.workspace.pk, metered.passes(minutes=1))
    metered.stripe.catch_up()
    assert invoiced(metered) == metered.ours() == 50_000
    metered.use(25_000_000, metered.passes(seconds=30))  # a request that still ran
    for _ in range(8):
        goes_on(metered, hours=1)
        late.bill_due(metered.now)
    metered.stripe.catch_up()
    assert metered.agree()
    assert invoiced(metered) == metered.ours() == 75_000
    assert sorted(Invoice.objects.exclude(total_cents=0).values_list("total_cents", "status")) == [
        (3, "paid"),  # 25,000 micro-dollars are 2.5 cents
        (5, "paid"),
    ]
    with pytest.raises(PlanProblem):
        ending.end_now(metered.workspace.pk, metered.now)


def test_a_change_of_plan_in_the_middle_of_a_period_bills_what_was_used_once(metered: Metered) -> None:
    metered.use(30_000_000)
    metered.report()
    metered.passes(hours=30)
    metered.use(10_000_000)
    metered.report()
    subscriptions.change(metered.workspace, Plan.objects.get(pk=PRO))
    metered.passes(hours=30)
    to_the_end(metered, 20 * MINUTE)
    metered.use(25_000_000)
    goes_on(metered, minutes=25)
    goes_on(metered, minutes=65)
    assert late.bill_due(metered.passes(hours=3)) == 0
    assert metered.agree()
    assert invoiced(metered) == metered.ours() == 65_000
    assert Invoice.objects.filter(usage_micros__gt=0).count() == 1


def test_nothing_ends_while_usage_is_on_its_way(metered: Metered) -> None:
    metered.use(20_000_000)
    metered.fault("rate_limit", count=1)
    with pytest.raises(StripeUnavailable, match="nothing was ended"):
        ending.end_now(metered.workspace.pk, metered.passes(minutes=1))
    assert metered.subscription.state == SubscriptionState.ACTIVE
    ending.end_now(metered.workspace.pk, metered.passes(minutes=1))
    metered.stripe.catch_up()
    assert subscribing.running(metered.workspace.pk) is None
    assert (invoiced(metered), metered.agree()) == (20_000, True)


def test_usage_after_the_end_is_carried_to_the_next_subscription(metered: Metered) -> None:
    metered.use(20_000_000)
    ending.end_now(metered.workspace.pk, metered.passes(minutes=1))
    metered.use(10_000_000, metered.passes(minutes=1))
    metered.passes(minutes=1)
    metered.subscribe(metered.workspace)
    metered.passes(minutes=3)
    metered.use(40_000_000)
    reports.flush(metered.workspace.pk, metered.passes(minutes=1))
    metered.report_all()
    metered.passes(hours=4)
    assert late.bill_due(metered.now) == 0
    assert metered.agree()
    assert (invoiced(metered), previews.preview_cents(metered.subscription)) == (20_000, 5)


def test_late_usage_is_invoiced_once_though_replies_are_lost_and_a_day_passes(metered: Metered) -> None:
    ending.end_now(metered.workspace.pk, metered.passes(minutes=1))
    metered.use(30_000_000, metered.passes(minutes=1))
    goes_on(metered, hours=3)
    metered.fault("lose_reply", path="/v1/invoiceitems", count=3)
    assert late.bill_due(metered.now) == 0
    assert LateUsage.objects.get().state == ReportState.UNSURE
    assert late.bill_due(metered.passes(hours=25)) == 1
    customer = linked("customer", metered.workspace.pk) or ""
    items = client().v1.invoice_items.list({"customer": customer}).data
    assert [item.quantity for item in items] == [30_000]
    assert len(metered.asked(EVENTS)) == 1
