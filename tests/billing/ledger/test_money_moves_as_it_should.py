"""Each kind of posting: what it moves, that it moves it once, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from billing.errors import MoneyInvalid, NotEnoughCredit
from billing.ledger import audit, lots, postings
from billing.ledger.kinds import AccountKind
from billing.ledger.models import Account, Lot, Transaction
from portal.accounts.models import Workspace
from portal.kit.errors import Problem

CENT = 10_000_000


def balances(workspace: Workspace) -> dict[str, int]:
    """Of the workspace and the platform, but for those at zero."""
    rows = Account.objects.filter(workspace=workspace) | Account.objects.filter(workspace=None)
    return {account.kind: account.balance_nanos for account in rows if account.balance_nanos}


def agrees() -> bool:
    return not audit.differences() and not audit.differences_of_lots({})


POSTINGS: dict[str, tuple[Callable[[str], bool], dict[str, int]]] = {
    "a grant": (lambda w: postings.grant_promo(w, 5, "s", "gift"), {"promo": 5, "marketing": -5}),
    "a service credit": (lambda w: postings.service_credit(w, 5, "s", "slow"), {"promo": 5, "refunds": -5}),
    "a top-up": (lambda w: postings.top_up(w, 5, "s"), {"credit": 5, "clearing": -5}),
    "an invoice's fee, tax and rounding down": (
        lambda w: postings.charge(w, "s", fee_nanos=10, tax_nanos=3, rounding_nanos=-2),
        {"receivable": -11, "revenue": 10, "taxes": 3, "adjustments": -2},
    ),
    "rounding up": (
        lambda w: postings.charge(w, "s", rounding_nanos=2),
        {"receivable": -2, "adjustments": 2},
    ),
    "a payment": (lambda w: postings.pay_invoice(w, 1, "s"), {"receivable": CENT, "clearing": -CENT}),
    "a refund of an invoice": (
        lambda w: postings.refund_invoice(w, 3, 1, "s"),
        {"refunds": -3 * CENT, "taxes": -CENT, "clearing": 4 * CENT},
    ),
    "a credit note": (
        lambda w: postings.credit_note(w, 3, 1, "s"),
        {"refunds": -3 * CENT, "taxes": -CENT, "receivable": 4 * CENT},
    ),
    "a fee of Stripe's": (lambda w: postings.stripe_took("s", fee_nanos=7), {"fees": -7, "clearing": 7}),
    "a payout to our bank": (lambda w: postings.stripe_took("s", bank_nanos=7), {"bank": -7, "clearing": 7}),
    "a write-off": (lambda w: postings.write_off(w, 5, "s", "gone"), {"adjustments": -5, "receivable": 5}),
    "a dispute": (
        lambda w: postings.reverse_payment(w, 1, "s"),
        {"receivable": -CENT, "clearing": CENT},
    ),
    "an earning": (lambda w: postings.earn(w, 5, "s"), {"revenue": -5, "payable": 5}),
    "an earning taken back": (lambda w: postings.take_back(w, 5, "s"), {"revenue": 5, "payable": -5}),
    "a returned payout": (lambda w: postings.return_payout(w, 5, "s"), {"payable": 5, "clearing": -5}),
    "a correction upwards": (
        lambda w: postings.adjust(w, AccountKind.CREDIT, 5, "s", "typo"),
        {"credit": 5, "adjustments": -5},
    ),
    "a correction downwards": (
        lambda w: postings.adjust(w, AccountKind.RECEIVABLE, -5, "s", "typo"),
        {"receivable": -5, "adjustments": 5},
    ),
}


@pytest.mark.parametrize("name", POSTINGS)
def test_a_posting_moves_what_it_says_once(name: str, workspace: Workspace) -> None:
    post, moved = POSTINGS[name]
    assert post(workspace.pk)
    assert not post(workspace.pk)
    assert balances(workspace) == moved
    assert agrees()


def test_credit_that_expires_first_is_used_first_and_what_is_left_of_it_ends(workspace: Workspace) -> None:
    now = timezone.now()
    postings.grant_promo(workspace.pk, 10, "for-ever", "")
    postings.grant_promo(workspace.pk, 10, "a-month", "", expires_at=now + timedelta(days=30))
    postings.grant_promo(workspace.pk, 10, "a-day", "", expires_at=now + timedelta(days=1))
    postings.lend(workspace.pk, {AccountKind.PROMO: 14}, "l:0")
    postings.close_lease(workspace.pk, {AccountKind.PROMO: 14}, {AccountKind.PROMO: 14}, "l:close")
    assert [(lot.source, lot.left_nanos) for lot in lots.live(workspace.pk)] == [("a-month", 6), ("for-ever", 10)]
    for lot in lots.expired(now + timedelta(days=31)):
        assert postings.expire(lot.pk)
        assert not postings.expire(lot.pk)
    assert balances(workspace) == {"promo": 10, "marketing": -24, "revenue": 14}
    assert agrees()


def test_what_is_held_of_an_expired_lot_ends_when_it_comes_back(workspace: Workspace) -> None:
    now = timezone.now()
    postings.top_up(workspace.pk, 10, "t", expires_at=now)
    postings.lend(workspace.pk, {AccountKind.CREDIT: 7}, "l:0")
    (lot,) = lots.expired(now)
    assert postings.expire(lot.pk)
    assert not postings.expire(lot.pk)
    postings.close_lease(workspace.pk, {AccountKind.CREDIT: 7}, {AccountKind.CREDIT: 2}, "l:close")
    assert postings.expire(lot.pk)
    assert balances(workspace) == {"clearing": -10, "revenue": 10}
    assert agrees()


def test_a_top_up_goes_back_as_far_as_it_is_unspent_and_out_of_its_own_lot(workspace: Workspace) -> None:
    postings.top_up(workspace.pk, 10, "first")
    postings.top_up(workspace.pk, 10, "second")
    assert postings.refund_top_up(workspace.pk, 8, "r", of="second")
    assert not postings.refund_top_up(workspace.pk, 8, "r", of="second")
    assert {lot.source: lot.left_nanos for lot in Lot.objects.all()} == {"first": 10, "second": 2}
    with pytest.raises(NotEnoughCredit) as caught:
        postings.refund_top_up(workspace.pk, 13, "r2")
    assert caught.value.status == 409
    assert balances(workspace) == {"credit": 12, "clearing": -12}
    assert agrees()


def test_a_disputed_top_up_takes_what_is_left_and_the_rest_is_owed_until_it_is_won(workspace: Workspace) -> None:
    postings.top_up(workspace.pk, 3 * CENT, "t")
    postings.lend(workspace.pk, {AccountKind.CREDIT: 2 * CENT}, "l:0")
    postings.close_lease(workspace.pk, {AccountKind.CREDIT: 2 * CENT}, {AccountKind.CREDIT: 2 * CENT}, "l:close")
    assert postings.reverse_payment(workspace.pk, 3, "d", from_credit=True)
    assert balances(workspace) == {"receivable": -2 * CENT, "revenue": 2 * CENT}
    assert postings.restore_payment(workspace.pk, "d", "d:won")
    assert not postings.restore_payment(workspace.pk, "d", "d:won")
    assert balances(workspace) == {"credit": CENT, "clearing": -3 * CENT, "revenue": 2 * CENT}
    assert agrees()


def test_no_more_is_paid_out_than_was_earned(workspace: Workspace) -> None:
    postings.earn(workspace.pk, 10, "e")
    with pytest.raises(NotEnoughCredit):
        postings.pay_out(workspace.pk, 11, "p")
    assert postings.pay_out(workspace.pk, 10, "p")
    assert not postings.pay_out(workspace.pk, 10, "p")
    assert balances(workspace) == {"revenue": -10, "clearing": 10}


REFUSED: dict[str, Callable[[str], bool]] = {
    "a negative grant": lambda w: postings.grant_promo(w, -5, "s", ""),
    "a negative top-up": lambda w: postings.top_up(w, -5, "s"),
    "a negative refund": lambda w: postings.refund_top_up(w, -5, "s"),
    "a negative payment": lambda w: postings.pay_invoice(w, -1, "s"),
    "a negative payout": lambda w: postings.pay_out(w, -5, "s"),
    "a correction of nothing": lambda w: postings.adjust(w, AccountKind.CREDIT, 0, "s", ""),
    "a correction of what is held": lambda w: postings.adjust(w, AccountKind.HOLDS, 5, "s", ""),
    "a correction of the platform's revenue": lambda w: postings.adjust(w, AccountKind.REVENUE, 5, "s", ""),
    "a correction below zero": lambda w: postings.adjust(w, AccountKind.CREDIT, -6, "s", ""),
    "a refund of more than there is": lambda w: postings.refund_top_up(w, 6, "s"),
    "a payout of more than there is": lambda w: postings.pay_out(w, 6, "s"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_and_the_ledger_is_unchanged(name: str, workspace: Workspace) -> None:
    postings.top_up(workspace.pk, 5, "t")
    before = balances(workspace), list(Transaction.objects.values_list("source", flat=True))
    with pytest.raises(Problem) as caught:
        REFUSED[name](workspace.pk)
    assert isinstance(caught.value, (MoneyInvalid, NotEnoughCredit))
    assert (balances(workspace), list(Transaction.objects.values_list("source", flat=True))) == before
