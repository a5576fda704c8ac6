"""The console: plans in dollars, coupons, grants with a reason, refunds with a reason; all refused where they make no sense."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from billing.ledger import postings
from billing.ledger.balances import balance
from billing.ledger.models import Lot
from billing.money import NANOS
from billing.plans.allowances import open_workspace
from billing.plans.models import Plan
from billing.plans.seeds import PRO, seed_plans
from billing.stripe.models import TopUp
from billing.stripe.returns import Refund
from portal.accounts.models import User, Workspace
from tests.billing.stripe.test_credit_is_bought import buy
from tests.fixtures.payments import Stripe, book
from tests.fixtures.people import person, signed_in


@pytest.fixture
def operator(transactional_db: None) -> Client:
    made = person("op@example.com")
    User.objects.filter(pk=made.pk).update(is_staff=True, is_superuser=True)
    return signed_in(User.objects.get(pk=made.pk))


def plan(**given: Any) -> dict[str, Any]:
    return {
        "name": "Pro", "summary": "More", "active": "on", "position": "3", "base_fee_nanos": "29.50", "included_nanos": "30",
        "price_percent": "90", "spending_limit_nanos": "500", "rpm_percent": "500", **given,
    }  # fmt: skip


def test_a_plan_is_edited_in_dollars(operator: Client) -> None:
    seed_plans()
    page = operator.get("/admin/billing/plan/pro/change/").content.decode()
    assert 'value="20.00"' in page
    assert operator.post("/admin/billing/plan/pro/change/", plan()).status_code == 302
    found = Plan.objects.get(pk=PRO)
    assert (found.base_fee_nanos, found.included_nanos) == (29_500_000_000, 30 * NANOS)
    assert found.metered, "what subscriptions were made by stays"


@pytest.mark.parametrize(
    ("field", "value"),
    [("base_fee_nanos", "-1"), ("base_fee_nanos", "9.995"), ("included_nanos", "lots"), ("rpm_percent", "0")],
)
def test_a_plan_that_makes_no_sense_is_refused(operator: Client, field: str, value: str) -> None:
    seed_plans()
    assert operator.post("/admin/billing/plan/pro/change/", plan(**{field: value})).status_code == 200
    assert Plan.objects.get(pk=PRO).base_fee_nanos == 20 * NANOS


def test_a_coupon_is_made(operator: Client) -> None:
    from billing.credit.models import Coupon

    given = {
        "code": "FAIR-2026",
        "amount_nanos": "5",
        "credit_days": "30",
        "most": "100",
        "active": "on",
        "note": "fair",
    }
    assert operator.post("/admin/billing/coupon/add/", given).status_code == 302
    made = Coupon.objects.get()
    assert made.amount_nanos == 5 * NANOS
    for wrong in ({"amount_nanos": "0"}, {"amount_nanos": "-5"}, {"code": "a b"}, {"most": "0"}):
        assert operator.post("/admin/billing/coupon/add/", {**given, "code": "OTHER", **wrong}).status_code == 200
    assert Coupon.objects.count() == 1


def test_credit_is_granted_once_with_its_reason(operator: Client, workspace: Workspace) -> None:
    given = {"workspace": workspace.pk, "amount": "12.5", "days": "30", "reason": "a talk", "once": "form0001"}
    for _ in range(2):
        assert operator.post("/admin/billing/lot/add/", given).status_code == 302
    assert balance(workspace.pk).promo_nanos == 13_500_000_000
    lot = Lot.objects.get(source__startswith="grant:")
    assert lot.memo == "a talk (op@example.com)"
    assert lot.expires_at is not None
    before = book()
    for wrong in ({"amount": "0"}, {"amount": "-1"}, {"reason": ""}, {"amount": "NaN"}, {"days": "-1"}):
        assert operator.post("/admin/billing/lot/add/", {**given, "once": "form0002", **wrong}).status_code == 200
    assert book() == before


def test_a_top_up_is_refunded_with_its_reason(operator: Client, at_stripe: Stripe, workspace: Workspace) -> None:
    open_workspace(workspace)
    at_stripe.pay(buy(workspace, "50"))
    at_stripe.catch_up()
    top_up = TopUp.objects.get()
    given = {"top_up": top_up.pk, "amount": "20", "reason": "did not need it"}
    before = book()
    for wrong in (
        {"amount": "50.01"},
        {"amount": "0"},
        {"amount": "-5"},
        {"amount": "1.005"},
        {"reason": ""},
        {"top_up": ""},
    ):
        assert operator.post("/admin/billing/refund/add/", {**given, **wrong}).status_code == 200
    assert book() == before
    assert operator.post("/admin/billing/refund/add/", given).status_code == 302
    refund = Refund.objects.get()
    assert (refund.state, refund.made_by, refund.cents) == ("sent", "op@example.com", 2000)
    assert balance(workspace.pk).credit_nanos == 30 * NANOS


@pytest.mark.parametrize(
    "table",
    [
        "plan",
        "coupon",
        "lot",
        "refund",
        "dispute",
        "topup",
        "invoice",
        "overdue",
        "autorecharge",
        "rechargeattempt",
        "correction",
    ],
)
def test_every_table_opens(operator: Client, workspace: Workspace, table: str) -> None:
    seed_plans()
    postings.grant_promo(workspace.pk, NANOS, "test:lot", "for a test")
    assert operator.get(f"/admin/billing/{table}/").status_code == 200
    if table in ("plan", "coupon", "lot", "refund"):
        assert operator.get(f"/admin/billing/{table}/add/").status_code == 200
