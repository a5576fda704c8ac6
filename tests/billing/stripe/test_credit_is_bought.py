"""Top-ups: what is paid on Checkout is credited once, and can be spent by the next request."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from billing.gate import holds, tending
from billing.ledger.balances import balance
from billing.ledger.models import Lot
from billing.money import NANOS
from billing.plans.allowances import open_workspace
from billing.stripe import client as stripe_client
from billing.stripe import topups
from billing.stripe.models import StripeEvent, TopUp
from portal.accounts.models import User, Workspace
from portal.kit.errors import Problem
from tests.fixtures.payments import Stripe, book
from tests.fixtures.people import signed_in


def buy(workspace: Workspace, dollars: str, once: str = "form00001") -> str:
    return topups.start(workspace, topups.cents_of(dollars), "olga@example.com", once, "http://x/", "http://x/")


def test_what_is_paid_is_credited_once_however_often_it_is_told(at_stripe: Stripe, workspace: Workspace) -> None:
    at_stripe.pay(buy(workspace, "25.50"))
    at_stripe.catch_up()
    dice = random.Random(5)
    for _ in range(8):
        StripeEvent.objects.all().delete()
        events = at_stripe.events()
        dice.shuffle(events)
        for event in events:
            at_stripe.deliver(event)
    assert balance(workspace.pk).credit_nanos == 25_500_000_000
    bought = TopUp.objects.get()
    assert (bought.status, bought.cents, bought.tax_cents, bought.automatic) == ("succeeded", 2550, 0, False)
    book()


def test_a_button_pressed_twice_leads_to_one_page(at_stripe: Stripe, workspace: Workspace) -> None:
    assert buy(workspace, "10") == buy(workspace, "10")
    assert buy(workspace, "10") != buy(workspace, "10", "form00002")


def test_credit_expires_when_the_page_said_it_would(
    at_stripe: Stripe, workspace: Workspace, owner: User, settings: LazySettings
) -> None:
    assert "365 days" in signed_in(owner).get("/billing/credits").content.decode()
    at_stripe.pay(buy(workspace, "10"))
    at_stripe.catch_up()
    lot = Lot.objects.get(kind="credit")
    assert lot.expires_at is not None
    assert abs(lot.expires_at - timezone.now() - timedelta(days=365)) < timedelta(minutes=5)
    settings.CREDIT_EXPIRES_DAYS = 0
    assert "does not expire" in signed_in(owner).get("/billing/credits").content.decode()
    at_stripe.pay(buy(workspace, "10", "form00002"))
    at_stripe.catch_up()
    assert Lot.objects.filter(kind="credit", expires_at=None).count() == 1


def test_the_next_request_can_spend_it(at_stripe: Stripe, workspace: Workspace) -> None:
    open_workspace(workspace)
    holds.release(holds.hold(workspace.pk, "", NANOS // 2))
    with pytest.raises(Problem, match="available"):
        holds.hold(workspace.pk, "", 8 * NANOS)
    at_stripe.pay(buy(workspace, "10"))
    at_stripe.catch_up()
    held = holds.hold(workspace.pk, "", 8 * NANOS)
    assert balance(workspace.pk).credit_nanos < 10 * NANOS, "what the trial does not cover is set aside of it"
    holds.release(held)
    tending.close_leases()


def test_the_card_is_kept_for_later(at_stripe: Stripe, workspace: Workspace) -> None:
    from billing.stripe.customers import card

    at_stripe.pay(buy(workspace, "10"))
    at_stripe.catch_up()
    kept = card(workspace.pk)
    assert kept is not None
    assert kept.card is not None
    assert kept.card.last4 == "4242"


def test_a_declined_card_credits_nothing(at_stripe: Stripe, workspace: Workspace) -> None:
    before = book()
    assert "declined" in at_stripe.pay(buy(workspace, "10"), "4000 0000 0000 0002")
    at_stripe.catch_up()
    assert book() == before
    assert not TopUp.objects.filter(status="succeeded").exists()


def test_a_tax_is_collected_and_is_no_credit(at_stripe: Stripe, workspace: Workspace, settings: LazySettings) -> None:
    from billing.ledger.audit import totals

    settings.STRIPE_TAX = True
    at_stripe.sandbox.press(buy(workspace, "100"), card="4242424242424242", country="DE", postal_code="10115")
    at_stripe.catch_up()
    bought = TopUp.objects.get()
    assert bought.tax_cents > 0
    assert balance(workspace.pk).credit_nanos == 100 * NANOS
    assert balance(workspace.pk).owed_nanos == 0
    assert totals()["taxes"] == bought.tax_nanos
    assert totals()["clearing"] == -bought.nanos - bought.tax_nanos


@pytest.mark.parametrize(
    "amount",
    ["", "0", "-5", "4.99", "10000.01", "25.005", "1e99", "NaN", "-0", "Infinity", "25,50", "$25", "x" * 5000, "٢٥x"],
)
def test_an_amount_that_cannot_be_is_refused_and_the_ledger_stays(
    at_stripe: Stripe, workspace: Workspace, owner: User, amount: str
) -> None:
    browser = signed_in(owner)
    browser.get("/billing/credits")
    before = book()
    answer = browser.post("/billing/credits/top-up", {"amount": amount, "once": "form00001"})
    assert answer.status_code == 422
    assert b"amount-error" in answer.content
    assert book() == before
    asked = at_stripe.sandbox.control("requests")["requests"]
    assert not [one for one in asked if "checkout" in str(one)]


def test_a_payment_of_another_currency_or_too_little_is_not_credited(at_stripe: Stripe, workspace: Workspace) -> None:
    """As if somebody with our key had made it by hand."""
    from billing.stripe.customers import customer

    stripe = stripe_client.client()
    open_workspace(workspace)
    before = book()
    made = stripe.v1.payment_intents.create(
        {"amount": 100, "currency": "usd", "customer": customer(workspace, "olga@example.com"), "payment_method": "pm_card_visa",
         "confirm": True, "off_session": True, "metadata": topups.about(workspace.pk, 5000)},
        {"idempotency_key": "by-hand"},
    )  # fmt: skip
    assert made.status == "succeeded"
    at_stripe.catch_up()
    assert book() == before


def test_stripe_that_is_away_is_said_so(at_stripe: Stripe, workspace: Workspace, owner: User) -> None:
    stripe_client.account()
    browser = signed_in(owner)
    browser.get("/billing/credits")
    before = book()
    at_stripe.sandbox.stop()
    answer = browser.post("/billing/credits/top-up", {"amount": "25", "once": "form00001"}, follow=True)
    assert "nothing was changed" in answer.content.decode()
    assert book() == before
    at_stripe.sandbox.start()
