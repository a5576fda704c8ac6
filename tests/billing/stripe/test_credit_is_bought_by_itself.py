"""Automatic recharge: below the threshold, within the ceiling, one at a time, and never in a loop."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.credit import recharge
from billing.credit.models import AutoRecharge, RechargeAttempt
from billing.errors import NoBudget
from billing.gate import holds
from billing.ledger import postings
from billing.ledger.balances import balance
from billing.money import NANOS
from billing.plans.allowances import open_workspace
from billing.stripe import client as stripe_client
from billing.stripe import recharging
from billing.stripe.models import TopUp
from portal.accounts.models import Mail, User, Workspace
from portal.kit.errors import Problem
from tests.billing.stripe.test_credit_is_bought import buy
from tests.fixtures.payments import Stripe, book
from tests.fixtures.people import signed_in

SOON = timedelta(minutes=2)


def wished(at_stripe: Stripe, workspace: Workspace, card: str = "4242424242424242", **given: str) -> AutoRecharge:
    """Ten dollars were bought with the card, and all but four of the balance are spent."""
    open_workspace(workspace)
    at_stripe.pay(buy(workspace, "10"), card)
    at_stripe.catch_up()
    postings.adjust(workspace.pk, "promo", -NANOS, "test:trial", "for a test")
    postings.adjust(workspace.pk, "credit", -6 * NANOS, "test:spent", "for a test")
    return recharge.wish(workspace, {"below": "5", "amount": "20", "month": "50", **given})


def payments() -> int:
    found = stripe_client.client().v1.payment_intents.list({"limit": 100}).data
    return sum(intent.status == "succeeded" for intent in found)


def test_it_buys_when_credit_is_low_and_not_again(at_stripe: Stripe, workspace: Workspace) -> None:
    wished(at_stripe, workspace)
    now = timezone.now()
    assert recharging.run(now) == 1
    assert balance(workspace.pk).credit_nanos == 24 * NANOS
    assert recharging.run(now + SOON) == 0
    at_stripe.catch_up()
    assert balance(workspace.pk).credit_nanos == 24 * NANOS
    bought = TopUp.objects.get(automatic=True)
    assert (bought.cents, RechargeAttempt.objects.get().state) == (2000, "succeeded")


def test_two_workers_buy_once(at_stripe: Stripe, workspace: Workspace) -> None:
    wished(at_stripe, workspace)
    now = timezone.now()
    recharging.begin(workspace.pk, now)
    recharging.begin(workspace.pk, now + SOON)
    assert RechargeAttempt.objects.count() == 1
    assert recharging.run(now) + recharging.run(now) == 1
    assert payments() == 2


@pytest.mark.parametrize("fault", ["lose_reply", "server_error"])
def test_a_reply_that_is_lost_buys_once(at_stripe: Stripe, workspace: Workspace, fault: str) -> None:
    wished(at_stripe, workspace)
    at_stripe.sandbox.control("faults", kind=fault, path="/v1/payment_intents", count=3)
    now = timezone.now()
    assert recharging.run(now) == 0
    assert RechargeAttempt.objects.get().state == "open"
    assert recharging.run(now) == 0, "the silent caller may still be at it"
    recharging.run(now + SOON)
    at_stripe.catch_up()
    assert payments() == 2
    assert balance(workspace.pk).credit_nanos == 24 * NANOS
    assert RechargeAttempt.objects.get().state == "succeeded"


def test_the_month_s_ceiling_is_never_passed(at_stripe: Stripe, workspace: Workspace) -> None:
    wished(at_stripe, workspace)
    now = timezone.now()
    for at in range(5):
        recharging.run(now + at * SOON)
        left = balance(workspace.pk).credit_nanos
        if left:
            postings.adjust(workspace.pk, "credit", -left, f"test:spent:{at}", "for a test")
    assert sum(TopUp.objects.filter(automatic=True).values_list("cents", flat=True)) == 4000
    assert Mail.objects.filter(key__contains=":ceiling:").count() == 1


def test_a_declined_card_is_tried_three_times_in_a_day_and_mailed(at_stripe: Stripe, workspace: Workspace) -> None:
    wished(at_stripe, workspace)
    customer = stripe_client.linked("customer", workspace.pk)
    assert customer is not None
    stripe = stripe_client.client()
    made = stripe.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer})
    stripe.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": made.id}})
    now, before = timezone.now(), book()
    for minutes in range(0, 3 * 24 * 60, 20):
        recharging.run(now + timedelta(minutes=minutes))
    assert RechargeAttempt.objects.filter(state="failed").count() == 3
    wish = recharge.of(workspace.pk)
    assert wish is not None
    assert wish.paused
    assert Mail.objects.filter(key__endswith=f":failed:{workspace.personal_of_id}").count() == 3
    assert book() == before


def test_a_bank_that_wants_its_customer_gets_her_at_checkout(
    at_stripe: Stripe, workspace: Workspace, owner: User
) -> None:
    wished(at_stripe, workspace)
    customer = stripe_client.linked("customer", workspace.pk)
    assert customer is not None
    stripe = stripe_client.client()
    made = stripe.v1.payment_methods.attach("pm_card_authenticationRequired", {"customer": customer})
    stripe.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": made.id}})
    assert recharging.run(timezone.now()) == 0
    assert RechargeAttempt.objects.get().state == "confirm"
    assert Mail.objects.filter(key__contains=":confirm:").count() == 1
    assert recharging.run(timezone.now() + timedelta(days=3)) == 0, "it waits for her"
    browser = signed_in(owner)
    assert "Confirm at Stripe" in browser.get("/billing/credits").content.decode()
    answer = browser.post("/billing/credits/recharge/confirm", {"once": "form00009"})
    assert answer.status_code == 302
    at_stripe.pay(answer.headers["Location"])
    at_stripe.catch_up()
    assert balance(workspace.pk).credit_nanos == 24 * NANOS
    assert RechargeAttempt.objects.get().state == "succeeded"
    wish = recharge.of(workspace.pk)
    assert wish is not None
    assert not wish.paused


def test_a_refused_request_asks_for_it(at_stripe: Stripe, workspace: Workspace) -> None:
    wished(at_stripe, workspace)
    AutoRecharge.objects.update(not_before=timezone.now() + timedelta(seconds=50))
    assert recharging.run(timezone.now()) == 0
    with pytest.raises(NoBudget):
        holds.hold(workspace.pk, "", 10 * NANOS)
    assert recharging.run(timezone.now()) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("below", "0"),
        ("below", "-1"),
        ("below", "x"),
        ("amount", "4.99"),
        ("amount", "10.001"),
        ("amount", "1e9"),
        ("month", "19"),
        ("month", ""),
    ],
)
def test_figures_that_make_no_sense_are_refused(workspace: Workspace, owner: User, field: str, value: str) -> None:
    given = {"below": "5", "amount": "20", "month": "50", field: value}
    with pytest.raises(Problem) as caught:
        recharge.wish(workspace, given)
    assert caught.value.param == field
    assert signed_in(owner).post("/billing/credits/recharge", given).status_code == 422
    assert not AutoRecharge.objects.exists()
