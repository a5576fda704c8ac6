"""Stripe's balance and the ledger's account for it are the same to the cent, and where they are not, an operator is told."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from billing import jobs
from billing.earnings import accrual, payouts
from billing.ledger import audit, postings
from billing.ledger.balances import balance
from billing.ledger.models import Transaction
from billing.money import NANOS, NANOS_IN_CENT
from billing.plans.allowances import open_workspace
from billing.stripe import audit as stripe_audit
from billing.stripe import clearing, customers, refunds, transfers
from billing.stripe import client as stripe_client
from billing.stripe.balances import BalanceDay, BalanceTransaction
from billing.stripe.models import Invoice, TopUp
from billing.stripe.returns import Dispute, Refund
from portal.accounts.models import User, Workspace
from tests.billing.earnings.test_payouts_are_sent_once import ready
from tests.billing.earnings.using import NOW, used
from tests.billing.stripe.test_credit_is_bought import buy
from tests.billing.stripe.test_plans_are_paid import PRO, subscribe
from tests.fixtures.payments import Stripe, book
from tests.fixtures.people import signed_in

DAY = timedelta(days=1)
AT_ONCE, DISPUTED, NOT_REFUNDABLE = "4000000000000077", "4000000000000259", "4000000000005126"


def stripe_days() -> list[date]:
    """Days on which Stripe's balance moved, the first one first."""
    moved = stripe_client.client().v1.balance_transactions.list({"limit": 100}).auto_paging_iter()
    return sorted({datetime.fromtimestamp(one.created, UTC).date() for one in moved})


def compared() -> list[BalanceDay]:
    return [clearing.check_day(day, timezone.now() + 30 * DAY) for day in stripe_days()]


def the_same(now: datetime | None = None) -> bool:
    """As Stripe says, as its transactions sum to, as the ledger says."""
    at = clearing.standing(now or timezone.now() + 30 * DAY)
    assert audit.differences() == stripe_audit.differences() == []
    return at.ours == at.mirrored == at.theirs - at.on_their_way


def fees() -> int:
    return -audit.totals()["fees"] // NANOS_IN_CENT


def pay_by_hand(workspace: Workspace, cents: int) -> str:
    """As somebody with our key does it at Stripe."""
    asked: Any = {
        "amount": cents, "currency": "usd", "customer": customers.customer(workspace, "olga@example.com"),
        "payment_method": "pm_card_visa", "confirm": True, "off_session": True,
    }  # fmt: skip
    return str(stripe_client.client().v1.payment_intents.create(asked).latest_charge)


def test_whatever_happens_the_account_is_stripes_balance_and_each_fee_is_an_expense(
    at_stripe: Stripe, workspace: Workspace, stranger: User
) -> None:
    used(stranger, workspace, 100 * NANOS, at=NOW - DAY * 10)
    accrual.accrue(NOW)
    subscribe(at_stripe, workspace, PRO)
    for form, amount, card in (
        ("form00001", "50", AT_ONCE),
        ("form00002", "70", DISPUTED),
        ("form00003", "20", NOT_REFUNDABLE),
        ("form00004", "30", DISPUTED),
        ("form00005", "400", AT_ONCE),
    ):
        at_stripe.pay(buy(workspace, amount, form), card)
    at_stripe.catch_up()
    refunds.of_top_up(TopUp.objects.get(cents=5000), 1200, "part of it", "op@example.com")
    refunds.of_top_up(TopUp.objects.get(cents=2000), 700, "its card will not take it", "op@example.com")
    refunds.of_invoice(Invoice.objects.get(total_cents=2000), 300, "a bad day", "op@example.com")
    at_stripe.sandbox.control("disputes", dispute=Dispute.objects.get(cents=7000).pk, won=True)
    ready(at_stripe, workspace)
    payout = payouts.request(workspace.pk, NOW)
    transfers.send_due(timezone.now() + timedelta(hours=1))
    payout.refresh_from_db()
    v1 = stripe_client.client().v1
    v1.transfers.reversals.create(payout.transfer_id, {"amount": 900})
    v1.payouts.create({"amount": 11_111, "currency": "usd"})
    at_stripe.sandbox.control("clock", advance_s=3 * 86_400)  # the card has not taken the refund
    at_stripe.catch_up()
    assert Refund.objects.filter(state="failed").count() == 1
    assert [day.found for day in compared() if day.found] == []
    assert the_same()
    charged = (2000, 5000, 7000, 2000, 3000, 40_000)
    assert fees() == sum((cents * 29 + 500) // 1000 + 30 for cents in charged) + 2 * 1500
    assert audit.totals()["bank"] == -11_111 * NANOS_IN_CENT
    before = book()
    assert [day.outcome for day in compared()] == ["agrees"] * len(stripe_days())
    assert book() == before


def test_a_payment_that_no_event_told_is_found_and_credited(at_stripe: Stripe, workspace: Workspace) -> None:
    open_workspace(workspace)
    for form, amount in (("form00001", "50"), ("form00002", "60")):
        at_stripe.pay(buy(workspace, amount, form))
    at_stripe.deliver(at_stripe.events("payment_intent.succeeded")[0])
    told = TopUp.objects.get()
    v1 = stripe_client.client().v1
    v1.refunds.create({"payment_intent": told.pk, "amount": 1000})
    (day,) = compared()
    assert (day.outcome, day.found, day.transactions) == ("agrees", [], 3)
    assert balance(workspace.pk).credit_nanos == 100 * NANOS
    assert the_same()


def test_money_that_the_ledger_knows_nothing_of_is_told_to_an_operator_until_it_agrees(
    at_stripe: Stripe, workspace: Workspace, owner: User, caplog: pytest.LogCaptureFixture
) -> None:
    open_workspace(workspace)
    at_stripe.pay(buy(workspace, "50"))
    charge = pay_by_hand(workspace, 1000)
    at_stripe.catch_up()
    (today,) = stripe_days()
    now = datetime.combine(today + DAY, datetime.min.time(), UTC) + clearing.AFTER
    (row,) = clearing.check_due(now)
    assert row.found == [f"charge:{charge}: $10.00 at Stripe, $0.00 here"]
    assert (row.outcome, row.difference_cents) == ("differs", 1000)
    assert clearing.check_due(now + timedelta(minutes=19)) == []
    later = now + timedelta(minutes=21)
    (row,) = clearing.check_due(later)
    assert row.outcome == "stuck"
    assert f"charge:{charge}: $10.00 at Stripe" in caplog.text
    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    console = signed_in(owner)
    assert charge in console.get("/admin/billing/balanceday/").content.decode()
    assert "Days on which Stripe&#x27;s balance differs" in console.get("/admin/").content.decode()
    call_command("audit_ledger")  # what is no business of ours is posted nowhere, but for its fee
    standing = clearing.standing(later)
    assert standing.theirs - standing.ours == 1000
    stripe_client.client().v1.refunds.create({"charge": charge})
    assert [(one.day, one.outcome) for one in clearing.check_due(later + DAY)] == [
        (today, "agrees"),
        (today + DAY, "agrees"),
    ]
    assert the_same()


def test_what_somebody_did_by_hand_at_stripe_is_named(at_stripe: Stripe, workspace: Workspace) -> None:
    open_workspace(workspace)
    at_stripe.pay(buy(workspace, "50"), AT_ONCE)
    at_stripe.catch_up()
    to = ready(at_stripe, workspace).stripe_id
    stripe_client.client().v1.transfers.create({"amount": 700, "currency": "usd", "destination": to})
    (day,) = compared()
    moved = BalanceTransaction.objects.get(type="transfer")
    assert day.found == [f"{moved.pk}: −$7.00 at Stripe (transfer), by nothing that is known here"]
    assert (moved.purpose, day.difference_cents) == ("unknown", -700)


def test_money_that_the_ledger_has_and_stripe_has_not_is_named(at_stripe: Stripe, workspace: Workspace) -> None:
    open_workspace(workspace)
    at_stripe.pay(buy(workspace, "50"))
    at_stripe.catch_up()
    bought = TopUp.objects.get()
    TopUp.objects.create(
        stripe_id="pi_never", workspace=workspace, status="succeeded", cents=700, created_at=timezone.now()
    )
    postings.top_up(workspace.pk, 7 * NANOS, "topup:pi_never")
    TopUp.objects.filter(pk=bought.pk).update(cents=4000)
    row = clearing.check_day(timezone.now().date(), timezone.now())
    assert row.found == [
        f"topup:{bought.pk}: $50.00 at Stripe, $40.00 here",
        "topup:pi_never: $0.00 at Stripe, $7.00 here",
    ]
    assert row.difference_cents == 1000 - 700


def test_days_that_were_lost_are_caught_up_once_each(at_stripe: Stripe, workspace: Workspace) -> None:
    open_workspace(workspace)
    for n in range(4):
        at_stripe.pay(buy(workspace, "50", f"form0000{n}"))
        at_stripe.sandbox.control("clock", advance_s=86_400)
    at_stripe.catch_up()
    days = stripe_days()
    assert len(days) == 4
    now = datetime.combine(days[-1] + DAY, datetime.min.time(), UTC) + timedelta(hours=1)
    assert [row.day for row in clearing.check_due(now - timedelta(minutes=1))] == days[:-1]
    assert [row.day for row in clearing.check_due(now)] == days[-1:]
    assert [row.outcome for row in BalanceDay.objects.all()] == ["agrees"] * 4
    assert fees() == 4 * (145 + 30)
    before = book()
    assert clearing.check_due(now) == []
    assert book() == before


def test_a_day_that_was_looked_at_before_it_was_over_is_compared_again_with_those_before_it(
    at_stripe: Stripe, workspace: Workspace
) -> None:
    open_workspace(workspace)
    for n in range(3):
        at_stripe.pay(buy(workspace, "50", f"form0000{n}"))
        at_stripe.sandbox.control("clock", advance_s=86_400)
    at_stripe.catch_up()
    days = stripe_days()
    last = datetime.combine(days[-1], datetime.min.time(), UTC)
    assert clearing.check_day(days[-1], last + DAY / 2).outcome == "agrees"
    assert [row.day for row in clearing.check_due(last + DAY / 2)] == days[:-1]
    assert [row.day for row in clearing.check_due(last + DAY + clearing.AFTER)] == days[-1:]


def test_who_dies_between_a_transaction_and_its_posting_leaves_neither(
    at_stripe: Stripe, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_workspace(workspace)
    for form in ("form00001", "form00002", "form00003"):
        at_stripe.pay(buy(workspace, "50", form))
    at_stripe.catch_up()
    posted: list[str] = []

    def dies(source: str, **amounts: Any) -> bool:
        if len(posted) == 1:
            raise KeyboardInterrupt
        posted.append(source)
        return postings.stripe_took(source, **amounts)

    with monkeypatch.context() as patched:
        patched.setattr(clearing, "stripe_took", dies)
        with pytest.raises(KeyboardInterrupt):
            compared()
    assert BalanceTransaction.objects.count() == Transaction.objects.filter(kind="stripe").count() == 1
    assert [day.outcome for day in compared()] == ["agrees"]
    assert fees() == 3 * (145 + 30)
    assert the_same()


@pytest.mark.parametrize("account", ["000123456789", "000222222227"])
def test_a_bank_debit_counts_when_the_bank_has_answered(at_stripe: Stripe, workspace: Workspace, account: str) -> None:
    open_workspace(workspace)
    at_stripe.sandbox.press(buy(workspace, "50"), bank_account=account)
    at_stripe.catch_up()
    (day,) = compared()
    assert (day.outcome, day.found, day.due_at is not None) == ("agrees", [], True)
    at = clearing.standing(timezone.now())
    assert (at.ours, at.on_their_way, at.theirs) == (0, 5000 - 175, 5000 - 175)
    assert fees() == 0
    at_stripe.sandbox.control("clock", advance_s=5 * 86_400)
    at_stripe.catch_up()
    assert all(day.outcome == "agrees" for day in compared())
    assert all(day.due_at is None for day in compared())
    assert the_same()
    assert (fees(), clearing.standing(timezone.now()).ours) == ((175, 4825) if account == "000123456789" else (0, 0))


def test_the_job_and_the_command_compare(
    at_stripe: Stripe, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs.reconcile_money()  # nothing has ever moved
    assert not BalanceDay.objects.exists()
    open_workspace(workspace)
    at_stripe.pay(buy(workspace, "50"))
    at_stripe.catch_up()
    today = str(stripe_days()[0])
    call_command("reconcile", "--day", today)
    told = json.loads(capsys.readouterr().out)
    assert (told["differences"], told["balance_days"], told["balance_difference_cents"]) == (0, 1, 0)
    assert told["ledger_cents"] == told["stripe_cents"] == 5000 - 175
    pay_by_hand(workspace, 1000)
    with pytest.raises(CommandError, match="1 differences"):
        call_command("reconcile", "--day", today)
    said = capsys.readouterr()
    assert "$10.00 at Stripe, $0.00 here" in said.err
    assert json.loads(said.out)["balance_difference_cents"] == 1000
