"""The only writer of the ledger: one function a kind of posting.

Each is idempotent by its source (the second call changes nothing), and runs in the caller's transaction or in one of
its own. Accounts are locked in the order of their ids, so that two postings cannot wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F

from billing.ledger.kinds import AccountKind
from billing.ledger.models import Account, Entry, Transaction
from billing.money import NANOS_IN_CENT

Move = tuple[str, str, int]  # account kind to debit, to credit, nano-dollars
_PLATFORM = {AccountKind.REVENUE, AccountKind.MARKETING, AccountKind.CLEARING, AccountKind.ADJUSTMENTS}


def grant_promo(workspace_id: str, nanos: int, source: str, memo: str) -> bool:
    """Gives promotional credit. False if this source was posted before."""
    return _post(workspace_id, source, "grant", [(AccountKind.MARKETING, AccountKind.PROMO, nanos)], memo)


def lend(workspace_id: str, funding: str, nanos: int, source: str) -> bool:
    """Moves budget from where it is funded to the workspace's holds."""
    return _post(workspace_id, source, "lend", [(funding, AccountKind.HOLDS, nanos)])


def close_lease(workspace_id: str, funding: str, granted_nanos: int, spent_nanos: int, source: str) -> bool:
    """Turns what a lease spent into revenue and gives the rest back to its funding."""
    moves = [
        (AccountKind.HOLDS, AccountKind.REVENUE, spent_nanos),
        (AccountKind.HOLDS, funding, granted_nanos - spent_nanos),
    ]
    return _post(workspace_id, source, "usage", moves)


def pay_invoice(workspace_id: str, cents: int, source: str) -> bool:
    """Money that Stripe collected for an invoice settles what the workspace owed."""
    return _post(
        workspace_id, source, "payment", [(AccountKind.CLEARING, AccountKind.RECEIVABLE, cents * NANOS_IN_CENT)]
    )


def open_accounts(workspace_id: str) -> None:
    """Makes the workspace's accounts that are missing."""
    for kind in (AccountKind.PROMO, AccountKind.CREDIT, AccountKind.RECEIVABLE, AccountKind.HOLDS):
        Account.objects.get_or_create(workspace_id=workspace_id, kind=kind)


def _post(workspace_id: str, source: str, kind: str, moves: Iterable[Move], memo: str = "") -> bool:
    moves = [move for move in moves if move[2]]
    if not moves:
        return False
    with transaction.atomic():
        posted, new = Transaction.objects.get_or_create(source=source, defaults={"kind": kind, "memo": memo})
        if not new:
            return False
        ids = {name: _account_id(workspace_id, name) for name in {name for move in moves for name in move[:2]}}
        accounts = {a.pk: a for a in Account.objects.select_for_update().filter(pk__in=ids.values()).order_by("pk")}
        change = dict.fromkeys(accounts, 0)
        for debit, credit, nanos in moves:
            change[ids[debit]] -= nanos
            change[ids[credit]] += nanos
            Entry.objects.create(transaction=posted, debit_id=ids[debit], credit_id=ids[credit], amount_nanos=nanos)
        for pk, nanos in change.items():
            Account.objects.filter(pk=pk).update(balance_nanos=F("balance_nanos") + nanos)
    return True


def _account_id(workspace_id: str, kind: str) -> int:
    owner = None if kind in _PLATFORM else workspace_id
    return Account.objects.get_or_create(workspace_id=owner, kind=kind)[0].pk
