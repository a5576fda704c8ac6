"""How a transaction gets into the book: once a source, with its accounts locked in order. Only for postings.py."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from billing.errors import MoneyInvalid
from billing.ledger.kinds import OF_WORKSPACE
from billing.ledger.models import Account, Entry, Transaction

Move = tuple[str, str, int]  # account kind to debit, to credit, nano-dollars


def lock(workspace_id: str, kind: str) -> Account:
    """The account, made where it is missing, locked until the transaction ends."""
    return Account.objects.select_for_update().get_or_create(workspace_id=workspace_id, kind=kind)[0]


def post(workspace_id: str, source: str, kind: str, moves: Iterable[Move], memo: str = "") -> bool:
    """Writes a transaction with these moves. False: its source was posted before, or nothing moves.

    Raises MoneyInvalid (422) for a negative amount.
    """
    moves = [move for move in moves if move[2]]
    if not moves:
        return False
    if any(nanos < 0 for *_kinds, nanos in moves):
        raise MoneyInvalid(_("An amount of money must be positive."))
    with transaction.atomic():
        posted, new = Transaction.objects.get_or_create(source=source, defaults={"kind": kind, "memo": memo[:200]})
        if not new:
            return False
        ids = {name: _account_id(workspace_id, name) for name in {name for move in moves for name in move[:2]}}
        rows = Account.objects.select_for_update().filter(pk__in=ids.values())
        change = {account.pk: 0 for account in rows.order_by(F("workspace").asc(nulls_last=True), "pk")}
        for debit, credit, nanos in moves:
            change[ids[debit]] -= nanos
            change[ids[credit]] += nanos
            Entry.objects.create(transaction=posted, debit_id=ids[debit], credit_id=ids[credit], amount_nanos=nanos)
        for pk, nanos in change.items():
            Account.objects.filter(pk=pk).update(balance_nanos=F("balance_nanos") + nanos)
    return True


def _account_id(workspace_id: str, kind: str) -> int:
    owner = workspace_id if kind in OF_WORKSPACE else None
    return Account.objects.get_or_create(workspace_id=owner, kind=kind)[0].pk
