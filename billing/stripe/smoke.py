"""The whole journey of money with Stripe, step by step, by the code that serves customers. Run by `make stripe-smoke`."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.utils import timezone

from billing.gate import holds, tending
from billing.ledger import audit, postings
from billing.ledger.balances import balance
from billing.metering.models import UsageEvent
from billing.money import NANOS_IN_CENT
from billing.plans.allowances import open_workspace
from billing.plans.models import Plan, Subscription
from billing.plans.seeds import PRO, seed_plans
from billing.stripe import (
    checkout,
    customers,
    ending,
    invoices,
    previews,
    products,
    refunds,
    reports,
    subscriptions,
    topups,
)
from billing.stripe.client import client
from billing.stripe.models import Invoice, TopUp
from billing.stripe.sending import Round, send_of
from portal.accounts.models import User, Workspace
from portal.accounts.workspaces import open_personal
from portal.kit import ids

USED_NANOS = 1_234_567_891
TOP_UP_CENTS = 2500
Say = Callable[[str], None]


def run(say: Say, email: str = "smoke@mercato.example", patience_s: float = 120) -> None:
    """Goes all the way, and cleans up. Raises AssertionError where Stripe and we differ, stripe.StripeError where it
    refuses; `patience_s`: how long Stripe may take to count usage."""
    seed_plans()
    workspace = open_personal(User.objects.create_user(email))
    open_workspace(workspace)
    postings.adjust(workspace.pk, "promo", -settings.TRIAL_CREDIT_NANOS, f"smoke:{workspace.pk}", "no trial here")
    owner = customers.customer(workspace, email)
    say(f"customer {owner}")
    try:
        subscription = _subscribe(workspace, owner, say)
        _use(workspace, subscription, say, patience_s)
        _top_up(workspace, owner, say)
        _refund(say)
        _end(workspace, owner, say)
        assert audit.differences() == [], audit.differences()
        say("ledger adds up")
    finally:
        client().v1.customers.delete(owner)
        say("customer deleted; meter, products and prices stay for the next time")


def _subscribe(workspace: Workspace, owner: str, say: Say) -> Subscription:
    plan = Plan.objects.get(pk=PRO)
    say(f"meter {products.meter()}, usage {products.usage_price()}, fee {products.fee_price(plan)}")
    card = client().v1.payment_methods.attach("pm_card_visa", {"customer": owner}, {"idempotency_key": f"card-{owner}"})
    customers.keep_card(owner, card.id)
    made = client().v1.subscriptions.create(
        {
            "customer": owner,
            "items": [{"price": products.usage_price()}, {"price": products.fee_price(plan), "quantity": 1}],
            "metadata": checkout.deal(workspace.pk, plan),
        },
        {"idempotency_key": f"smoke-subscribe-{workspace.pk}"},
    )
    subscriptions.settle(made.id)
    found = Subscription.objects.get(stripe_id=made.id)
    assert found.state == "active", f"the subscription is {found.state}"
    _settle_invoices(owner)
    assert balance(workspace.pk).promo_nanos == plan.included_nanos, "included usage was not granted"
    say(f"subscription {made.id}: {found.state}, first invoice paid, included usage granted")
    return found


def _use(workspace: Workspace, subscription: Subscription, say: Say, patience_s: float) -> None:
    included = balance(workspace.pk).promo_nanos
    postings.adjust(
        workspace.pk, "promo", -included, f"smoke:{workspace.pk}:included", "used up, so that usage is metered"
    )
    held = holds.hold(workspace.pk, "", USED_NANOS)
    UsageEvent.objects.create(
        id=ids.make("use"), request_id="req_smoke", workspace_id=workspace.pk, model="smoke/test", version_id="smoke",
        protocol="openai", units={"request": 1}, price_id="smoke", cost_nanos=USED_NANOS, lease_id=held.lease_id,
        funding=held.funding, latency_ms=1, recorded_at=timezone.now(),
    )  # fmt: skip
    holds.settle(held, USED_NANOS)
    tending.close_leases()
    now = timezone.now()
    reports.flush(workspace.pk, now)
    send_of(workspace.pk, now, Round(settings.STRIPE_CALLS_A_SECOND))
    say("usage reported to the meter")
    expected = subscription.base_fee_nanos // NANOS_IN_CENT + round(USED_NANOS / NANOS_IN_CENT)
    end = time.monotonic() + patience_s
    while (preview := previews.preview_cents(subscription)) != expected:
        assert time.monotonic() < end, f"the next invoice says {preview} cents instead of {expected}"
        time.sleep(2)
    say(f"the next invoice will say ${expected / 100:.2f}, as our statement does")


def _top_up(workspace: Workspace, owner: str, say: Say) -> None:
    card = customers.card(workspace.pk)
    assert card is not None, "the card was not kept"
    paid = client().v1.payment_intents.create(
        {
            "amount": TOP_UP_CENTS,
            "currency": "usd",
            "customer": owner,
            "payment_method": card.id,
            "off_session": True,
            "confirm": True,
            "metadata": topups.about(workspace.pk, TOP_UP_CENTS),
        },
        {"idempotency_key": f"smoke-topup-{workspace.pk}"},
    )
    for _ in range(2):
        topups.settle(paid.id)
    assert balance(workspace.pk).credit_nanos == TOP_UP_CENTS * NANOS_IN_CENT, "credit is not what was paid"
    say(f"top-up {paid.id}: ${TOP_UP_CENTS / 100:.2f} of credit, once")


def _refund(say: Say) -> None:
    top_up = TopUp.objects.get()
    made = refunds.of_top_up(top_up, 500, "smoke test", "smoke")
    assert made.state == "sent", f"the refund is {made.state}"
    refunds.settle(str(made.stripe_id))
    assert balance(top_up.workspace_id).credit_nanos == (TOP_UP_CENTS - 500) * NANOS_IN_CENT
    say(f"refund {made.stripe_id}: $5.00 back")


def _end(workspace: Workspace, owner: str, say: Say) -> None:
    ending.end_now(workspace.pk, timezone.now())
    _settle_invoices(owner)
    owed = balance(workspace.pk).owed_nanos
    mirrored = list(Invoice.objects.filter(workspace=workspace).values_list("number", "status", "total_cents"))
    assert owed == USED_NANOS % 1000, f"{owed} nano-dollars are still owed; invoices: {mirrored}"
    say("subscription ended now; its last invoice billed what was used, once")


def _settle_invoices(owner: str) -> None:
    for invoice in client().v1.invoices.list({"customer": owner, "limit": 100}).auto_paging_iter():
        id, status = str(invoice.id), invoice.status
        if status == "draft":
            status = client().v1.invoices.finalize_invoice(id, {}, {"idempotency_key": f"final-{id}"}).status
        if status == "open":
            client().v1.invoices.pay(id, {}, {"idempotency_key": f"pay-{id}"})
        invoices.settle(id)
