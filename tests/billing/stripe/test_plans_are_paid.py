"""Pro and Pay as you go at Stripe: base fees, included usage, changes and ends in the middle of a period, invoices."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from billing.ledger import audit, postings
from billing.ledger.balances import balance
from billing.ledger.models import Lot, Transaction
from billing.metering import rollups
from billing.metering.models import UsageEvent
from billing.money import NANOS
from billing.plans import subscribing
from billing.plans.allowances import open_workspace
from billing.plans.models import Overdue, Plan, Subscription, SubscriptionState
from billing.plans.seeds import PAY_AS_YOU_GO, PRO
from billing.stripe import checkout, corrections, ending, reports, sending, subscriptions
from billing.stripe import client as stripe_client
from billing.stripe.corrections import Correction
from billing.stripe.models import Invoice, StripeEvent
from portal.accounts.models import Mail, Workspace
from portal.kit import ids
from portal.kit.errors import Problem
from tests.fixtures.payments import Stripe, book


def subscribe(at_stripe: Stripe, workspace: Workspace, code: str, card: str = "4242 4242 4242 4242") -> Subscription:
    open_workspace(workspace)
    plan = Plan.objects.get(pk=code)
    at_stripe.pay(checkout.start(workspace, plan, "olga@example.com", "http://x/", "http://x/"), card)
    at_stripe.catch_up()
    return running(workspace)


def running(workspace: Workspace) -> Subscription:
    found = subscribing.running(workspace.pk)
    assert found is not None
    return found


def use(workspace: Workspace, nanos: int) -> None:
    """Metered usage, as the gate and the recorder leave it behind."""
    lease = ids.make("lease")
    UsageEvent.objects.create(
        id=ids.make("use"), request_id="req_x", workspace_id=workspace.pk, model="a/b", version_id="v", protocol="openai",
        units={"request": 1}, price_id="p", cost_nanos=nanos, lease_id=lease, funding="receivable", latency_ms=1,
        recorded_at=timezone.now(),
    )  # fmt: skip
    rollups.roll_up(timezone.now())
    postings.lend(workspace.pk, {"receivable": nanos}, f"{lease}:0")
    postings.close_lease(workspace.pk, {"receivable": nanos}, {"receivable": nanos}, f"{lease}:close")


def included(workspace: Workspace) -> int:
    lots = Lot.objects.filter(workspace=workspace, source__startswith="included:").exclude(
        expires_at__lte=timezone.now()
    )
    return sum(lots.values_list("left_nanos", flat=True))


def test_pro_charges_its_fee_and_includes_usage(at_stripe: Stripe, workspace: Workspace) -> None:
    subscription = subscribe(at_stripe, workspace, PRO)
    assert (subscription.plan_id, subscription.state) == (PRO, SubscriptionState.ACTIVE)
    assert subscription.base_fee_nanos == 20 * NANOS
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.total_cents, invoice.paid_cents) == ("paid", 2000, 2000)
    assert invoice.pdf_url
    assert invoice.number
    assert balance(workspace.pk).owed_nanos == 0
    assert audit.totals()["clearing"] == -20 * NANOS
    lot = Lot.objects.get(source__startswith="included:")
    assert (lot.amount_nanos, lot.expires_at) == (25 * NANOS, subscription.period_end)
    before = book()
    StripeEvent.objects.all().delete()
    for event in at_stripe.events()[::-1]:
        at_stripe.deliver(event)
    assert book() == before


def test_an_edited_fee_is_for_who_subscribes_later(at_stripe: Stripe, workspace: Workspace) -> None:
    subscription = subscribe(at_stripe, workspace, PRO)
    Plan.objects.filter(pk=PRO).update(base_fee_nanos=30 * NANOS, included_nanos=NANOS)
    at_stripe.sandbox.control("clock", advance_s=32 * 86400)
    at_stripe.catch_up()
    later = running(workspace)
    assert later.period_start == subscription.period_end
    assert (later.base_fee_nanos, later.included_nanos) == (20 * NANOS, 25 * NANOS)
    assert Invoice.objects.filter(total_cents=2000).count() == 2


def test_what_was_used_is_billed_and_only_what_is_carried_stays_owed(at_stripe: Stripe, workspace: Workspace) -> None:
    subscribe(at_stripe, workspace, PAY_AS_YOU_GO)
    use(workspace, 1_234_567_891)
    reports.make(timezone.now())
    sending.send_due(timezone.now() + timedelta(minutes=2))
    at_stripe.sandbox.control("clock", advance_s=32 * 86400)
    at_stripe.catch_up()
    invoice = Invoice.objects.get(total_cents=123)
    assert invoice.status == "paid"
    assert [line["quantity"] for line in invoice.lines if line["usage"]] == [1_234_567]
    assert balance(workspace.pk).owed_nanos == 891, "what is under a micro-dollar is on the next invoice"
    assert audit.differences() == []


def test_a_dearer_plan_is_prorated_and_its_included_usage_too(at_stripe: Stripe, workspace: Workspace) -> None:
    subscribe(at_stripe, workspace, PAY_AS_YOU_GO)
    use(workspace, NANOS)
    subscriptions.change(workspace, Plan.objects.get(pk=PRO))
    at_stripe.catch_up()
    subscription = running(workspace)
    assert subscription.plan_id == PRO
    # All of the period is left, but for the seconds of this test.
    assert 24.9 * NANOS < included(workspace) <= 25 * NANOS
    assert subscription.changed_at is not None
    assert 1990 <= sum(Invoice.objects.values_list("paid_cents", flat=True)) <= 2000
    assert balance(workspace.pk).owed_nanos == NANOS
    with pytest.raises(Problem):
        subscriptions.change(workspace, Plan.objects.get(pk=PRO))


def test_a_cheaper_plan_gives_back_the_rest_and_bills_included_usage_beyond_its_share(
    at_stripe: Stripe, workspace: Workspace
) -> None:
    subscribe(at_stripe, workspace, PRO)
    lot = Lot.objects.get(source__startswith="included:")
    postings.lend(workspace.pk, {"promo": 11 * NANOS}, "lease:t:0")  # the trial's dollar, and ten of the included
    postings.close_lease(workspace.pk, {"promo": 11 * NANOS}, {"promo": 11 * NANOS}, "lease:t:close")
    used = lot.amount_nanos - Lot.objects.get(pk=lot.pk).left_nanos
    assert used >= 10 * NANOS
    subscriptions.change(workspace, Plan.objects.get(pk=PAY_AS_YOU_GO))
    at_stripe.catch_up()
    assert running(workspace).plan_id == PAY_AS_YOU_GO
    assert included(workspace) == 0
    correction = Correction.objects.get()
    assert used - NANOS // 10 <= correction.cents * 10_000_000 <= used
    assert corrections.send_due() == 1
    assert corrections.send_due() == 0
    at_stripe.sandbox.control("clock", advance_s=32 * 86400)
    at_stripe.catch_up()
    next_one = Invoice.objects.order_by("-created_at").filter(status="paid").first()
    assert next_one is not None
    credited = -sum(line["cents"] for line in next_one.lines if line["cents"] < 0)
    assert 1990 <= credited <= 2000
    assert sum(line["cents"] for line in next_one.lines if line["cents"] > 0) == correction.cents
    assert audit.differences() == []


def test_there_and_back_again_costs_and_gives_nothing(at_stripe: Stripe, workspace: Workspace) -> None:
    subscribe(at_stripe, workspace, PAY_AS_YOU_GO)
    pro, payg = Plan.objects.get(pk=PRO), Plan.objects.get(pk=PAY_AS_YOU_GO)
    for plan in (pro, payg, pro, payg):
        subscriptions.change(workspace, plan)
        at_stripe.catch_up()
        expected = plan.included_nanos
        assert expected * 0.99 <= included(workspace) <= max(expected, NANOS // 1000)
    assert not Correction.objects.exists()
    assert balance(workspace.pk).promo_nanos <= NANOS + NANOS // 1000
    assert audit.differences() == []


def test_a_card_that_is_declined_changes_no_plan(at_stripe: Stripe, workspace: Workspace) -> None:
    subscribe(at_stripe, workspace, PAY_AS_YOU_GO, "4000 0000 0000 0341")
    before = book()
    with pytest.raises(Problem) as caught:
        subscriptions.change(workspace, Plan.objects.get(pk=PRO))
    assert (caught.value.status, "declined" in caught.value.message) == (409, True)
    at_stripe.catch_up()
    assert running(workspace).plan_id == PAY_AS_YOU_GO
    assert included(workspace) == 0
    assert book() == before


def test_the_own_plan_can_be_taken_as_it_is_offered_now(at_stripe: Stripe, workspace: Workspace) -> None:
    subscribe(at_stripe, workspace, PRO)
    Plan.objects.filter(pk=PRO).update(base_fee_nanos=30 * NANOS, included_nanos=40 * NANOS)
    subscriptions.change(workspace, Plan.objects.get(pk=PRO))
    at_stripe.catch_up()
    found = running(workspace)
    assert (found.base_fee_nanos, found.included_nanos) == (30 * NANOS, 40 * NANOS)
    assert 2990 <= sum(Invoice.objects.values_list("paid_cents", flat=True)) <= 3000
    assert 39.9 * NANOS < included(workspace) <= 40 * NANOS
    assert balance(workspace.pk).owed_nanos == 0


def test_ending_now_invoices_what_was_used_once(at_stripe: Stripe, workspace: Workspace) -> None:
    subscribe(at_stripe, workspace, PAY_AS_YOU_GO)
    use(workspace, 3 * NANOS)
    ending.end_now(workspace.pk, timezone.now())
    at_stripe.catch_up()
    assert subscribing.running(workspace.pk) is None
    assert Invoice.objects.get(total_cents=300).status == "paid"
    assert balance(workspace.pk).owed_nanos == 0
    with pytest.raises(Problem):
        ending.end_now(workspace.pk, timezone.now())


def test_an_end_with_the_period_can_be_taken_back(at_stripe: Stripe, workspace: Workspace) -> None:
    subscribe(at_stripe, workspace, PAY_AS_YOU_GO)
    subscriptions.end_with_period(workspace)
    assert running(workspace).cancel_at_period_end
    subscriptions.resume(workspace)
    assert not running(workspace).cancel_at_period_end
    subscriptions.end_with_period(workspace)
    at_stripe.sandbox.control("clock", advance_s=32 * 86400)
    at_stripe.catch_up()
    assert subscribing.running(workspace.pk) is None


def test_an_invoice_that_fails_begins_dunning_and_its_payment_ends_it(at_stripe: Stripe, workspace: Workspace) -> None:
    subscription = subscribe(at_stripe, workspace, PAY_AS_YOU_GO, "4000 0000 0000 0341")
    use(workspace, 5 * NANOS)
    reports.make(timezone.now())
    sending.send_due(timezone.now() + timedelta(minutes=2))
    at_stripe.sandbox.control("clock", advance_s=31 * 86400 + 7200)
    at_stripe.catch_up()
    overdue = Overdue.objects.get(ended_at=None)
    assert (overdue.step, overdue.due_cents) == ("grace", 500)
    assert overdue.pay_url.startswith("http")
    assert running(workspace).state == SubscriptionState.PAST_DUE
    stripe = stripe_client.client()
    stripe.v1.invoices.pay(overdue.invoice, {"payment_method": "pm_card_visa"}, {"idempotency_key": "by-hand"})
    at_stripe.catch_up()
    assert not Overdue.objects.filter(ended_at=None).exists()
    assert balance(workspace.pk).owed_nanos == 0
    assert running(workspace).pk == subscription.pk
    assert running(workspace).state == SubscriptionState.ACTIVE
    before, mails, dice = book(), Mail.objects.count(), random.Random(3)
    for _ in range(3):
        StripeEvent.objects.all().delete()
        told = at_stripe.events()
        dice.shuffle(told)
        for event in told:
            at_stripe.deliver(event)
    assert (book(), Mail.objects.count()) == (before, mails)
    assert not Overdue.objects.filter(ended_at=None).exists()


@pytest.mark.parametrize("way", ["void", "uncollectible", "uncollectible, then paid"])
def test_what_is_given_up_is_owed_no_more(at_stripe: Stripe, workspace: Workspace, way: str) -> None:
    from billing.stripe.customers import customer

    open_workspace(workspace)
    stripe = stripe_client.client()
    owner = customer(workspace, "olga@example.com")
    made = stripe.v1.invoices.create(
        {"customer": owner, "collection_method": "send_invoice", "days_until_due": 30}, {"idempotency_key": "i"}
    )
    item = {"customer": owner, "invoice": str(made.id), "amount": 700, "currency": "usd", "description": "Setup"}
    stripe.v1.invoice_items.create(item, {"idempotency_key": "ii"})  # type: ignore[arg-type] # built above
    stripe.v1.invoices.finalize_invoice(str(made.id))
    at_stripe.catch_up()
    assert balance(workspace.pk).owed_nanos == 7 * NANOS
    if way == "void":
        stripe.v1.invoices.void_invoice(str(made.id))
    else:
        stripe.v1.invoices.mark_uncollectible(str(made.id))
    at_stripe.catch_up()
    assert balance(workspace.pk).owed_nanos == 0
    assert Invoice.objects.get().status == way.split(",")[0]
    if "paid" in way:
        stripe.v1.invoices.pay(str(made.id), {"payment_method": "pm_card_visa"}, {"idempotency_key": "p"})
        at_stripe.catch_up()
        assert Invoice.objects.get().status == "paid"
        assert balance(workspace.pk).owed_nanos == 0
        assert audit.totals()["revenue"] == 7 * NANOS
    assert audit.differences() == []
    assert Transaction.objects.filter(source__startswith=f"invoice:{made.id}").exists()


def test_a_stranger_s_customer_and_subscription_are_left_alone(at_stripe: Stripe, workspace: Workspace) -> None:
    """The Stripe account may serve other systems too."""
    stripe = stripe_client.client()
    subscribe(at_stripe, workspace, PAY_AS_YOU_GO)
    before = (book(), Invoice.objects.count(), Subscription.objects.count())
    other = stripe.v1.customers.create({"email": "x@example.com"}, {"idempotency_key": "other"})
    made = stripe.v1.invoices.create({"customer": other.id}, {"idempotency_key": "other-i"})
    item = {"customer": other.id, "invoice": str(made.id), "amount": 900, "currency": "usd"}
    stripe.v1.invoice_items.create(item, {"idempotency_key": "other-ii"})  # type: ignore[arg-type] # built above
    stripe.v1.invoices.finalize_invoice(str(made.id))
    at_stripe.catch_up()
    assert (book(), Invoice.objects.count(), Subscription.objects.count()) == before
