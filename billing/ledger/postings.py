"""The only writer of the ledger: one function a kind of posting.

Each is idempotent by its source (False: it was posted before, and nothing changed), and runs in the caller's transaction
or in one of its own. Locks are taken in one order, so that two postings cannot wait for each other: the workspace's
accounts by id, the platform's by id, lots.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import F, Sum
from django.utils.translation import gettext as _

from billing import money
from billing.errors import MoneyInvalid, NotEnoughCredit
from billing.ledger import lots
from billing.ledger.kinds import IN_LOTS, OF_WORKSPACE, AccountKind
from billing.ledger.models import Account, Entry, Lot, Transaction
from billing.ledger.writing import Move, lock, post
from billing.money import NANOS_IN_CENT

PROMO, CREDIT, RECEIVABLE = AccountKind.PROMO, AccountKind.CREDIT, AccountKind.RECEIVABLE
HOLDS, PAYABLE, REVENUE = AccountKind.HOLDS, AccountKind.PAYABLE, AccountKind.REVENUE
CLEARING, REFUNDS, ADJUSTMENTS = AccountKind.CLEARING, AccountKind.REFUNDS, AccountKind.ADJUSTMENTS
TAXES, FEES, BANK = AccountKind.TAXES, AccountKind.FEES, AccountKind.BANK


def open_accounts(workspace_id: str) -> None:
    """Makes the workspace's accounts that are missing."""
    for kind in OF_WORKSPACE:
        Account.objects.get_or_create(workspace_id=workspace_id, kind=kind)


# Credit


def grant_promo(workspace_id: str, nanos: int, source: str, memo: str, expires_at: datetime | None = None) -> bool:
    """Gives promotional credit."""
    return _fill(workspace_id, source, "grant", AccountKind.MARKETING, PROMO, nanos, memo, expires_at)


def service_credit(workspace_id: str, nanos: int, source: str, memo: str, expires_at: datetime | None = None) -> bool:
    """Gives credit for a service that was not as promised."""
    return _fill(workspace_id, source, "service_credit", REFUNDS, PROMO, nanos, memo, expires_at)


def top_up(workspace_id: str, nanos: int, source: str, memo: str = "", expires_at: datetime | None = None) -> bool:
    """Credit that was paid for through Stripe."""
    return _fill(workspace_id, source, "top_up", CLEARING, CREDIT, nanos, memo, expires_at)


def refund_top_up(workspace_id: str, nanos: int, source: str, memo: str = "", of: str = "", done: bool = False) -> bool:
    """Credit that was not spent goes back to the card; out of the lot of the top-up `of` (its source) before others.

    `done`: the money is gone already, so that what was spent of it is our loss. Else raises NotEnoughCredit (409) beyond
    what is neither spent nor held; then nothing changed.
    """
    with transaction.atomic():
        unspent = min(lock(workspace_id, CREDIT).balance_nanos, nanos) if done else nanos
        _need(workspace_id, CREDIT, unspent, source)
        moves: list[Move] = [(CREDIT, CLEARING, unspent), (REFUNDS, CLEARING, nanos - unspent)]
        if not post(workspace_id, source, "refund", moves, memo):
            return False
        lots.take(workspace_id, CREDIT, unspent, first=of)
    return True


def expire(lot_id: int) -> bool:
    """Ends a lot that is over: promotional credit is ours again, paid credit is earned.

    What is held of it stays until the lease gives it back; the next call takes that.
    """
    with transaction.atomic():
        lot = Lot.objects.get(pk=lot_id)
        available = lock(lot.workspace_id, lot.kind).balance_nanos
        lot.refresh_from_db(from_queryset=Lot.objects.select_for_update())
        nanos = min(lot.left_nanos, available)
        source = f"lot:{lot.pk}:expired:{lot.left_nanos}"
        target = AccountKind.MARKETING if lot.kind == PROMO else REVENUE
        if not post(lot.workspace_id, source, "expiry", [(lot.kind, target, nanos)], lot.memo):
            return False
        Lot.objects.filter(pk=lot.pk).update(left_nanos=F("left_nanos") - nanos)
    return True


def cut_short(lot_id: int, now: datetime) -> int:
    """Ends a lot before its time; nano-dollars that were left of it, with what is held and comes back later."""
    with transaction.atomic():
        lot = Lot.objects.get(pk=lot_id)
        lock(lot.workspace_id, lot.kind)
        left = Lot.objects.select_for_update().get(pk=lot_id).left_nanos
        Lot.objects.filter(pk=lot_id).update(expires_at=now)
        if left:
            expire(lot_id)
    return left


# Usage


def lend(workspace_id: str, parts: Mapping[str, int], source: str) -> bool:
    """Moves budget to the workspace's holds. `parts`: account kind that funds it → nano-dollars."""
    return post(workspace_id, source, "lend", [(funding, HOLDS, nanos) for funding, nanos in parts.items()])


def hand_back(workspace_id: str, parts: Mapping[str, int], source: str) -> bool:
    """Gives budget that was lent, and is not needed, back to where it is funded."""
    return post(workspace_id, source, "hand_back", [(HOLDS, funding, nanos) for funding, nanos in parts.items()])


def close_lease(workspace_id: str, granted: Mapping[str, int], spent: Mapping[str, int], source: str) -> bool:
    """Turns what a lease spent of each funding into revenue and gives the rest back to it."""
    moves: list[Move] = [(HOLDS, REVENUE, sum(spent.values()))]
    moves += [(HOLDS, funding, nanos - spent.get(funding, 0)) for funding, nanos in granted.items()]
    with transaction.atomic():
        if not post(workspace_id, source, "usage", moves):
            return False
        for funding, nanos in spent.items():
            if funding in IN_LOTS:
                lots.take(workspace_id, funding, nanos)
    return True


# Invoices


def charge(
    workspace_id: str, source: str, *, fee_nanos: int = 0, tax_nanos: int = 0, rounding_nanos: int = 0, memo: str = ""
) -> bool:
    """What an invoice adds to the usage on it: base fees, taxes, and the rounding to cents; each of either sign."""
    moves: list[Move] = [
        _either(RECEIVABLE, REVENUE, fee_nanos),
        _either(RECEIVABLE, TAXES, tax_nanos),
        _either(ADJUSTMENTS, RECEIVABLE, -rounding_nanos),
    ]
    return post(workspace_id, source, "charge", moves, memo)


def pay_invoice(workspace_id: str, cents: int, source: str) -> bool:
    """Money that Stripe collected for an invoice settles what the workspace owed."""
    return post(workspace_id, source, "payment", [(CLEARING, RECEIVABLE, cents * NANOS_IN_CENT)])


def refund_invoice(workspace_id: str, cents: int, tax_cents: int, source: str, memo: str = "") -> bool:
    """Money of a paid invoice went back to the card, and the tax on it."""
    moves = [(REFUNDS, CLEARING, cents * NANOS_IN_CENT), (TAXES, CLEARING, tax_cents * NANOS_IN_CENT)]
    return post(workspace_id, source, "refund", moves, memo)


def credit_note(workspace_id: str, cents: int, tax_cents: int, source: str, memo: str = "") -> bool:
    """An invoice, and the tax on it, became smaller."""
    moves = [(REFUNDS, RECEIVABLE, cents * NANOS_IN_CENT), (TAXES, RECEIVABLE, tax_cents * NANOS_IN_CENT)]
    return post(workspace_id, source, "credit_note", moves, memo)


def unbill(workspace_id: str, nanos: int, cents: int, source: str, memo: str) -> bool:
    """An invoice billed usage that nobody used, so that its payment leaves more than nothing owed: no more.

    The credit note of so many cents that gives it back gives nothing away by this.
    """
    given = cents * NANOS_IN_CENT
    moves = [(RECEIVABLE, REFUNDS, given), _either(RECEIVABLE, ADJUSTMENTS, nanos - given)]
    return post(workspace_id, source, "charge", moves, memo)


def write_off(workspace_id: str, nanos: int, source: str, memo: str) -> bool:
    """What will never be paid is owed no more."""
    return post(workspace_id, source, "write_off", [(ADJUSTMENTS, RECEIVABLE, nanos)], memo)


def reverse_payment(workspace_id: str, cents: int, source: str, memo: str = "", from_credit: bool = False) -> bool:
    """A bank took a payment back (a dispute). `from_credit`: of a top-up, whose unspent credit goes first.

    The rest is owed, which stops postpaid usage until it is settled.
    """
    nanos = cents * NANOS_IN_CENT
    with transaction.atomic():
        open_accounts(workspace_id)
        credit = min(lock(workspace_id, CREDIT).balance_nanos, nanos) if from_credit else 0
        moves: list[Move] = [(CREDIT, CLEARING, credit), (RECEIVABLE, CLEARING, nanos - credit)]
        if not post(workspace_id, source, "dispute", moves, memo):
            return False
        lots.take(workspace_id, CREDIT, credit)
    return True


def restore_payment(workspace_id: str, reversal: str, source: str, memo: str = "") -> bool:
    """The bank gave a payment back that `reversal` (the source of that posting) took: the same moves, backwards."""
    with transaction.atomic():
        taken = Entry.objects.filter(transaction__source=reversal).select_related("debit", "credit").order_by("pk")
        moves = [(entry.credit.kind, entry.debit.kind, entry.amount_nanos) for entry in taken]
        if not post(workspace_id, source, "dispute_won", moves, memo):
            return False
        for _from, kind, nanos in moves:
            if kind in IN_LOTS:
                lots.add(workspace_id, kind, nanos, source, memo, None)
    return True


# Publishers


def earn(workspace_id: str, nanos: int, source: str, memo: str = "") -> bool:
    """A publisher's share of what was used."""
    return post(workspace_id, source, "earning", [(REVENUE, PAYABLE, nanos)], memo)


def take_back(workspace_id: str, nanos: int, source: str, memo: str = "") -> bool:
    """A share of what was refunded or disputed; the publisher may owe it until the next earnings."""
    return post(workspace_id, source, "take_back", [(PAYABLE, REVENUE, nanos)], memo)


def pay_out(workspace_id: str, nanos: int, source: str, memo: str = "") -> bool:
    """Money sent to a publisher. Raises NotEnoughCredit (409) beyond what is owed to them."""
    with transaction.atomic():
        _need(workspace_id, PAYABLE, nanos, source)
        return post(workspace_id, source, "payout", [(PAYABLE, CLEARING, nanos)], memo)


def return_payout(workspace_id: str, nanos: int, source: str, memo: str = "") -> bool:
    """Money that could not be sent, or was sent back."""
    return post(workspace_id, source, "payout_returned", [(CLEARING, PAYABLE, nanos)], memo)


# Stripe


def stripe_took(source: str, *, fee_nanos: int = 0, bank_nanos: int = 0, memo: str = "") -> bool:
    """What Stripe kept for itself of the money that is there, and what it sent to our bank; each of either sign."""
    moves: list[Move] = [_either(FEES, CLEARING, fee_nanos), _either(BANK, CLEARING, bank_nanos)]
    return post("", source, "stripe", moves, memo)


# Corrections


def adjust(workspace_id: str, kind: str, nanos: int, source: str, memo: str) -> bool:
    """An operator's correction of one of the workspace's accounts, up or down.

    Raises MoneyInvalid (422) for another account or no amount, NotEnoughCredit (409) below zero credit.
    """
    if kind not in OF_WORKSPACE or kind == HOLDS or not nanos:
        raise MoneyInvalid(_("Correct credit, promotional credit, what is owed or what is payable, by an amount."))
    with transaction.atomic():
        open_accounts(workspace_id)
        if kind in IN_LOTS and nanos < 0:
            _need(workspace_id, kind, -nanos, source)
        if not post(workspace_id, source, "adjustment", [_either(ADJUSTMENTS, kind, nanos)], memo):
            return False
        if kind in IN_LOTS and nanos > 0:
            lots.add(workspace_id, kind, nanos, source, memo, None)
        elif kind in IN_LOTS:
            lots.take(workspace_id, kind, -nanos)
    return True


def amount_of(source: str, debit: str = "") -> int:
    """Nano-dollars that a transaction moved, out of the kind `debit` where one is named; 0 where it was not posted."""
    moved = Entry.objects.filter(transaction__source=source)
    moved = moved.filter(debit__kind=debit) if debit else moved
    return int(moved.aggregate(nanos=Sum("amount_nanos", default=0))["nanos"])


def _either(debit: str, credit: str, nanos: int) -> Move:
    """The move, or its reverse for a negative amount."""
    return (debit, credit, nanos) if nanos >= 0 else (credit, debit, -nanos)


def _fill(
    workspace_id: str, source: str, kind: str, debit: str, credit: str, nanos: int, memo: str, until: datetime | None
) -> bool:
    with transaction.atomic():
        if not post(workspace_id, source, kind, [(debit, credit, nanos)], memo):
            return False
        lots.add(workspace_id, credit, nanos, source, memo, until)
    return True


def _need(workspace_id: str, kind: str, nanos: int, source: str) -> None:
    """Raises NotEnoughCredit where a posting that is not done yet would take more than there is. Locks the account."""
    available = lock(workspace_id, kind).balance_nanos
    if nanos > available and not Transaction.objects.filter(source=source).exists():
        raise NotEnoughCredit(
            _("%(available)s is available, which is less than %(nanos)s.")
            % {"available": money.show(available), "nanos": money.show(nanos)},
            details={"available": money.decimal(available)},
        )
