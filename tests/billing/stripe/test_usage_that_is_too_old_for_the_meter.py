"""Usage that Stripe's meter does not take any more is invoiced by itself, once."""

from __future__ import annotations

from datetime import timedelta

from billing.ledger.balances import balance
from billing.stripe import reports
from billing.stripe.models import LateUsage, Report, ReportState
from tests.billing.stripe.test_periods_are_billed_once import MINUTE, invoiced, to_the_end
from tests.billing.stripe.test_what_was_billed_too_much_goes_back import CENT, collected, jobs, use
from tests.fixtures.reporting import EVENTS, Metered


def test_usage_that_is_too_old_for_the_meter_is_invoiced_by_itself(metered: Metered) -> None:
    use(metered, 60)
    reports.make(metered.now)
    Report.objects.update(next_attempt_at=metered.now + timedelta(days=35))
    for _ in range(2):
        to_the_end(metered, -2 * 60 * MINUTE)
        metered.stripe.catch_up()
    metered.passes(days=4)
    metered.report()
    assert Report.objects.get().state == ReportState.TOO_OLD
    assert metered.asked(EVENTS) == []
    jobs(metered, 4)
    row = LateUsage.objects.get()
    assert (row.value, row.alone, row.state) == (60 * CENT, False, ReportState.ACCEPTED)
    to_the_end(metered, -2 * 60 * MINUTE)
    metered.stripe.catch_up()
    jobs(metered, 3)
    assert invoiced(metered) == metered.ours() == 60 * CENT
    assert (collected(), balance(metered.workspace.pk).owed_nanos) == (60, 0)


def test_a_report_that_grew_too_old_while_nobody_knew_whether_it_arrived_is_looked_for_first(metered: Metered) -> None:
    use(metered, 60)
    reports.make(metered.now)
    metered.fault("lose_reply", count=3)
    metered.report()
    assert Report.objects.get().state == ReportState.UNSURE
    made = metered.now
    Report.objects.update(next_attempt_at=made + timedelta(days=34), first_attempt_at=made + timedelta(days=34))
    metered.passes(days=34, hours=2)
    metered.report()
    assert Report.objects.get().state == ReportState.ACCEPTED
    assert metered.theirs() == 60 * CENT
