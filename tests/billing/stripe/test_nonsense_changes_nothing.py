"""Plans, cards and taxes: what cannot be is refused in words, and the ledger stays as it was."""

from __future__ import annotations

import pytest
from django.conf import LazySettings

from billing.ledger import audit
from billing.ledger.balances import balance
from billing.money import NANOS
from billing.plans.allowances import open_workspace
from billing.plans.models import Plan, Subscription
from billing.plans.seeds import PAY_AS_YOU_GO, PRO
from billing.stripe import checkout
from billing.stripe.models import Invoice
from portal.accounts.models import User, Workspace
from tests.fixtures.payments import Stripe, book
from tests.fixtures.people import signed_in


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/billing/subscribe", {"plan": "platinum"}, 404),
        ("/billing/subscribe", {"plan": ""}, 404),
        ("/billing/subscribe", {"plan": "withdrawn"}, 404),
        ("/billing/subscribe", {"plan": "free"}, 302),
        ("/billing/plan/change", {"plan": "platinum"}, 404),
        ("/billing/plan/change", {"plan": "pro"}, 302),
        ("/billing/plan/end", {"when": "now"}, 302),
        ("/billing/plan/resume", {}, 302),
        ("/billing/credits/recharge/confirm", {}, 302),
    ],
)
def test_a_plan_that_is_not_there_cannot_be_had(
    at_stripe: Stripe, workspace: Workspace, owner: User, path: str, form: dict[str, str], status: int
) -> None:
    Plan.objects.create(code="withdrawn", name="Old", summary="-", metered=True, active=False)
    open_workspace(workspace)
    browser, before = signed_in(owner), book()
    answer = browser.post(path, form)
    assert answer.status_code == status
    if status == 302:
        assert answer.headers["Location"].startswith("/billing")
        assert b"alert error" in browser.get(answer.headers["Location"]).content
    assert (book(), Subscription.objects.count()) == (before, 0)


@pytest.mark.parametrize("card", ["4000 0000 0000 0069", "4000 0000 0000 0002", "4000 0000 0000 9995", "1234", ""])
def test_a_card_that_does_not_pay_makes_no_subscription(at_stripe: Stripe, workspace: Workspace, card: str) -> None:
    open_workspace(workspace)
    before = book()
    url = checkout.start(workspace, Plan.objects.get(pk=PRO), "olga@example.com", "http://x/", "http://x/")
    at_stripe.pay(url, card)
    at_stripe.catch_up()
    assert book() == before
    assert not Subscription.objects.filter(state="active").exists()


def test_taxes_come_on_top_and_are_nobody_s_revenue(
    at_stripe: Stripe, workspace: Workspace, settings: LazySettings
) -> None:
    settings.STRIPE_TAX = True
    open_workspace(workspace)
    url = checkout.start(workspace, Plan.objects.get(pk=PRO), "olga@example.com", "http://x/", "http://x/")
    at_stripe.sandbox.press(url, card="4242424242424242", country="DE", postal_code="10115")
    at_stripe.catch_up()
    invoice = Invoice.objects.get()
    assert invoice.status == "paid"
    assert invoice.tax_cents > 0
    assert invoice.total_cents == 2000 + invoice.tax_cents
    assert balance(workspace.pk).owed_nanos == 0
    totals = audit.totals()
    assert (totals["revenue"], totals["taxes"]) == (20 * NANOS, invoice.tax_cents * 10_000_000)


def test_credit_is_not_bought_by_itself_without_its_tax(
    at_stripe: Stripe, workspace: Workspace, owner: User, settings: LazySettings
) -> None:
    settings.STRIPE_TAX = True
    browser = signed_in(owner)
    assert "Automatic recharge" not in browser.get("/billing/credits").content.decode()
    answer = browser.post("/billing/credits/recharge", {"below": "5", "amount": "20", "month": "50"}, follow=True)
    assert "buy it yourself" in answer.content.decode()


def test_a_button_pressed_twice_makes_one_subscription(at_stripe: Stripe, workspace: Workspace, owner: User) -> None:
    browser = signed_in(owner)
    form = {"plan": PAY_AS_YOU_GO, "once": "form00001"}
    first, second = (browser.post("/billing/subscribe", form).headers["Location"] for _ in range(2))
    assert first == second
    at_stripe.pay(first)
    at_stripe.catch_up()
    assert Subscription.objects.filter(state="active").count() == 1
