"""A final invoice that billed more than was used gives the difference back by itself, once; invoices and ledger end equal."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import LazySettings
from django.db.models import Sum

from billing.earnings.reversals import Reversal
from billing.ledger import audit, postings
from billing.ledger.balances import balance
from billing.money import NANOS_IN_CENT
from billing.plans.allowances import open_workspace
from billing.statements.statement import statement
from billing.stripe import audit as stripe_audit
from billing.stripe import ending, late, reconciliation, reports
from billing.stripe.client import client, linked
from billing.stripe.models import LateUsage, Report, ReportState
from billing.stripe.returns import Refund
from portal.accounts.models import User
from tests.billing.stripe.test_periods_are_billed_once import MINUTE, cycle, goes_on, invoiced, to_the_end
from tests.fixtures.people import signed_in
from tests.fixtures.reporting import Metered

CENT = 10_000  # micro-dollars


def use(metered: Metered, cents: int, at: datetime | None = None) -> None:
    """Usage as the gate leaves it: in the ledger too."""
    open_workspace(metered.workspace)
    source, nanos = f"lease:{metered.now.timestamp()}:{cents}", cents * NANOS_IN_CENT
    metered.use(nanos, at)
    postings.lend(metered.workspace.pk, {"receivable": nanos}, f"{source}:0")
    postings.close_lease(metered.workspace.pk, {"receivable": nanos}, {"receivable": nanos}, f"{source}:close")


def somebody_else_reports(metered: Metered, cents: int, at: datetime | None = None) -> None:
    """Another program, to our meter."""
    client().v1.billing.meter_events.create(
        {
            "event_name": "mercato_usage",
            "identifier": f"foreign-{cents}",
            "timestamp": int((at or metered.now).timestamp()),
            "payload": {
                "stripe_customer_id": linked("customer", metered.workspace.pk) or "",
                "value": str(cents * CENT),
            },
        },
        {"idempotency_key": f"foreign-{cents}"},
    )


def jobs(metered: Metered, hours: int) -> None:
    """What runs by itself, for so long."""
    for _ in range(hours):
        goes_on(metered, hours=1)
        reconciliation.check_due(metered.now)
        late.bill_due(metered.now)
    metered.stripe.catch_up()


def notes(metered: Metered) -> list[tuple[int, int]]:
    """The credit notes: total, and what of it is refunds."""
    found = client().v1.credit_notes.list({"customer": linked("customer", metered.workspace.pk) or ""}).data
    return [(note.total, sum(one.amount_refunded for one in note.refunds or [])) for note in found]


def collected() -> int:
    """Cents that Stripe holds for us, says the ledger."""
    assert audit.differences() + stripe_audit.differences() == []
    return -audit.totals()["clearing"] // NANOS_IN_CENT


def charged() -> int:
    """Cents that Stripe took, less what it gave back, says Stripe."""
    charges = client().v1.charges.list({"limit": 100}).data
    return sum(one.amount - one.amount_refunded for one in charges if one.paid)


def ended_with_too_much(metered: Metered, more: int = 30) -> None:
    """90 cents are on the last invoice of a subscription under which 60 were used."""
    metered.passes(minutes=2)
    use(metered, 60)
    metered.report_all()
    somebody_else_reports(metered, more)
    ending.end_now(metered.workspace.pk, metered.passes(minutes=1))
    metered.stripe.catch_up()
    assert cycle(metered).total_cents == 60 + more


def test_after_the_end_of_a_subscription_the_difference_goes_back_to_the_card(metered: Metered) -> None:
    ended_with_too_much(metered)
    jobs(metered, 34)
    assert notes(metered) == [(30, 30)]
    assert invoiced(metered) == metered.ours() == 60 * CENT
    assert collected() == charged() == 60
    assert balance(metered.workspace.pk).owed_nanos == 0
    refund = Refund.objects.get()
    assert (refund.cents, refund.state, refund.reason) == (30, "sent", "Usage that was billed too much")
    assert cycle(metered).refunded_cents == 30
    assert audit.totals()["refunds"] == 0, "it was never revenue"
    assert not Reversal.objects.exists(), "nor anybody's earning"
    assert reports.carried_nanos(metered.workspace.pk) == 0


def test_what_is_found_on_the_invoice_first_and_on_the_meter_later_goes_back_once(metered: Metered) -> None:
    ended_with_too_much(metered)
    goes_on(metered, hours=3)
    assert late.bill_due(metered.now) == 1
    assert reports.carried_nanos(metered.workspace.pk) == 0, "the meter was not compared yet"
    jobs(metered, 34)
    assert notes(metered) == [(30, 30)]
    assert LateUsage.objects.aggregate(value=Sum("value"), surplus=Sum("surplus")) == {
        "value": -30 * CENT,
        "surplus": 30 * CENT,
    }
    assert invoiced(metered) == metered.ours()
    assert (collected(), balance(metered.workspace.pk).owed_nanos) == (60, 0)


def test_while_a_subscription_runs_it_is_credit_for_the_next_invoice_and_new_usage_is_told_whole(
    metered: Metered,
) -> None:
    end = to_the_end(metered, 20 * MINUTE)
    use(metered, 60)
    metered.report_all()
    somebody_else_reports(metered, 30)
    goes_on(metered, minutes=25)
    goes_on(metered, minutes=65)
    assert cycle(metered).total_cents == 90
    jobs(metered, 34)
    assert notes(metered) == [(30, 0)]
    use(metered, 100)
    metered.report_all()
    running = metered.subscription
    assert running.period_start == end
    assert running.period_end is not None
    assert statement(metered.workspace.pk, end, running.period_end).total_cents == 100
    to_the_end(metered, -2 * 60 * MINUTE)
    metered.stripe.catch_up()
    jobs(metered, 3)
    assert cycle(metered).paid_cents == 70, "the credit was used"
    assert notes(metered) == [(30, 0)]
    assert invoiced(metered) == metered.ours() == 160 * CENT
    assert collected() == charged() == 160
    assert balance(metered.workspace.pk).owed_nanos == 0


def test_what_later_usage_worked_off_before_it_was_noticed_is_not_given_back_again(metered: Metered) -> None:
    to_the_end(metered, 20 * MINUTE)
    use(metered, 60)
    metered.report_all()
    somebody_else_reports(metered, 30)
    goes_on(metered, minutes=90)
    for _ in range(30):
        metered.passes(hours=1)
        reconciliation.check_due(metered.now)
    use(metered, 10)
    metered.passes(hours=2)
    metered.report_all()
    assert reports.carried_nanos(metered.workspace.pk) == -20 * NANOS_IN_CENT
    jobs(metered, 4)
    assert notes(metered) == [(20, 0)]
    use(metered, 100)
    metered.report_all()
    to_the_end(metered, -2 * 60 * MINUTE)
    metered.stripe.catch_up()
    jobs(metered, 3)
    assert invoiced(metered) == metered.ours() == 170 * CENT
    assert (collected(), balance(metered.workspace.pk).owed_nanos) == (170, 0)


def test_an_open_invoice_becomes_less(metered: Metered) -> None:
    customer = linked("customer", metered.workspace.pk) or ""
    broke = client().v1.payment_methods.attach(
        "pm_card_chargeCustomerFail", {"customer": customer}, {"idempotency_key": "attach"}
    )
    subscription = str(metered.subscription.stripe_id)
    client().v1.subscriptions.update(subscription, {"default_payment_method": broke.id}, {"idempotency_key": "broke"})
    ended_with_too_much(metered)
    assert cycle(metered).status == "open"
    jobs(metered, 34)
    assert notes(metered) == [(30, 0)]
    assert cycle(metered).due_cents == 60
    assert balance(metered.workspace.pk).owed_nanos == 60 * NANOS_IN_CENT
    client().v1.invoices.pay(cycle(metered).pk, {"payment_method": "pm_card_visa"}, {"idempotency_key": "pay"})
    metered.stripe.catch_up()
    assert (collected(), charged(), balance(metered.workspace.pk).owed_nanos) == (60, 60, 0)
    assert invoiced(metered) == metered.ours()


def test_the_tax_on_it_goes_back_with_it(metered: Metered, settings: LazySettings) -> None:
    customer, subscription = linked("customer", metered.workspace.pk) or "", str(metered.subscription.stripe_id)
    address = {"line1": "1 Main St", "city": "New York", "postal_code": "10001", "country": "US", "state": "NY"}
    client().v1.customers.update(customer, {"address": address}, {"idempotency_key": "address"})  # type: ignore[typeddict-item]
    client().v1.subscriptions.update(subscription, {"automatic_tax": {"enabled": True}}, {"idempotency_key": "tax"})
    metered.passes(minutes=2)
    use(metered, 600)
    metered.report_all()
    somebody_else_reports(metered, 300)
    ending.end_now(metered.workspace.pk, metered.passes(minutes=1))
    metered.stripe.catch_up()
    bill = cycle(metered)
    assert bill.tax_cents > 0
    jobs(metered, 34)
    tax = round(bill.tax_cents / 3)
    assert notes(metered) == [(300 + tax, 300 + tax)]
    assert collected() == charged() == 600 + bill.tax_cents - tax
    assert audit.totals()["taxes"] == (bill.tax_cents - tax) * NANOS_IN_CENT
    assert balance(metered.workspace.pk).owed_nanos == 0


def test_what_comes_to_the_meter_after_the_invoice_is_neither_billed_nor_worked_off(metered: Metered) -> None:
    use(metered, 60)
    ending.end_now(metered.workspace.pk, metered.passes(minutes=1))
    metered.stripe.catch_up()
    somebody_else_reports(metered, 30, metered.now - 2 * MINUTE)
    jobs(metered, 34)
    assert (notes(metered), invoiced(metered), cycle(metered).total_cents) == ([], 60 * CENT, 60)
    row = LateUsage.objects.get()
    assert (row.value, row.surplus, row.state) == (0, 30 * CENT, ReportState.ACCEPTED)
    assert reports.carried_nanos(metered.workspace.pk) == 0
    assert balance(metered.workspace.pk).owed_nanos == 0


def test_a_credit_note_whose_reply_is_lost_is_made_once(metered: Metered) -> None:
    ended_with_too_much(metered)
    goes_on(metered, hours=3)
    metered.fault("lose_reply", path="/v1/credit_notes", count=3)
    metered.fault("server_error", path="/v1/refunds", count=1)
    for hours in (0, 1, 1, 25, 1):
        metered.passes(hours=hours)
        late.bill_due(metered.now)
    jobs(metered, 10)
    assert LateUsage.objects.filter(value__lt=0).get().state == ReportState.ACCEPTED
    assert notes(metered) == [(30, 30)]
    assert (collected(), charged()) == (60, 60)


def test_less_than_half_a_cent_is_left_alone(metered: Metered) -> None:
    metered.passes(minutes=2)
    use(metered, 60)
    metered.report_all()
    client().v1.billing.meter_events.create(
        {
            "event_name": "mercato_usage",
            "identifier": "tiny",
            "timestamp": int(metered.now.timestamp()),
            "payload": {"stripe_customer_id": linked("customer", metered.workspace.pk) or "", "value": "4999"},
        },
        {"idempotency_key": "tiny"},
    )
    ending.end_now(metered.workspace.pk, metered.passes(minutes=1))
    jobs(metered, 34)
    assert not LateUsage.objects.exists()


def test_nothing_is_given_back_while_a_report_may_have_arrived(metered: Metered) -> None:
    end = to_the_end(metered, 20 * MINUTE)
    use(metered, 60)
    reports.make(metered.now)
    metered.fault("lose_reply", count=3)
    metered.report()
    assert Report.objects.get().state == ReportState.UNSURE
    Report.objects.update(next_attempt_at=end + timedelta(days=9))
    goes_on(metered, minutes=90)
    goes_on(metered, hours=4)
    assert cycle(metered).total_cents == 60
    assert late.bill_due(metered.now) == 0
    assert not LateUsage.objects.exists()


def test_customers_see_what_was_given_back_and_why(metered: Metered, owner: User) -> None:
    ended_with_too_much(metered)
    jobs(metered, 34)
    page = signed_in(owner).get("/billing/reconciliation").content.decode()
    assert "Credited: billed too much" in page
    assert "$0.30" in page
    assert f"/billing/invoices/{cycle(metered).pk}" in page
