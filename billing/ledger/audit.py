"""Proves that balances are what the entries say, and lots what the balances say."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Q, Sum

from billing.ledger.kinds import IN_LOTS, AccountKind
from billing.ledger.models import Account, Entry, Lot, Transaction


def differences() -> list[str]:
    """One sentence for each account whose balance is not credits − debits; empty when the book is right."""
    credits = dict(Entry.objects.values_list("credit").annotate(total=Sum("amount_nanos")))
    debits = dict(Entry.objects.values_list("debit").annotate(total=Sum("amount_nanos")))
    wrong = []
    total = 0
    for account in Account.objects.select_related("workspace"):
        entries = credits.get(account.pk, 0) - debits.get(account.pk, 0)
        total += account.balance_nanos
        if entries != account.balance_nanos:
            wrong.append(f"{account}: balance {account.balance_nanos}, entries {entries}")
    if total:
        wrong.append(f"all balances sum to {total}, not to zero")
    empty = Transaction.objects.filter(entries=None).values_list("source", flat=True)
    return wrong + [f"transaction {source} moves nothing" for source in empty]


def differences_of_lots(lent: Mapping[tuple[str, str], int]) -> list[str]:
    """One sentence for each workspace whose credit is not what its lots hold.

    `lent`: (workspace id, funding) → nano-dollars that open leases were granted; what is lent is still in its lot.
    """
    left = {
        (row["workspace_id"], row["kind"]): row["nanos"]
        for row in Lot.objects.values("workspace_id", "kind").annotate(nanos=Sum("left_nanos")).order_by()
    }
    wrong = []
    for account in Account.objects.filter(kind__in=IN_LOTS).iterator():
        of = (str(account.workspace_id), account.kind)
        has = account.balance_nanos + lent.get(of, 0)
        if has != left.get(of, 0):
            wrong.append(f"{account.kind} of {account.workspace_id}: balance and lent {has}, lots {left.get(of, 0)}")
    return wrong


def effects(prefix: str) -> dict[str, dict[str, int]]:
    """What the postings with a source `prefix:id…` did, by that id: account → change of its balance, nano-dollars.

    An account is named as `account_name` does; changes that cancel out are 0.
    """
    found: dict[str, dict[str, int]] = {}
    moved = Entry.objects.filter(transaction__source__startswith=f"{prefix}:").order_by()
    fields = ("debit__kind", "debit__workspace_id", "credit__kind", "credit__workspace_id", "amount_nanos")
    for source, debit, debtor, credit, creditor, nanos in moved.values_list("transaction__source", *fields).iterator():
        changes = found.setdefault(source.split(":")[1], {})
        for name, change in ((account_name(debit, debtor), -nanos), (account_name(credit, creditor), nanos)):
            changes[name] = changes.get(name, 0) + change
    return found


def account_name(kind: str, workspace_id: str | None) -> str:
    """`clearing` of the platform, `credit of ws_…` of a workspace."""
    return f"{kind} of {workspace_id}" if workspace_id else str(kind)


def sources_that_move(kind: str) -> set[str]:
    """The prefixes of the sources of all postings on accounts of a kind."""
    moved = Entry.objects.filter(Q(debit__kind=kind) | Q(credit__kind=kind)).order_by()
    return {source.partition(":")[0] for source in moved.values_list("transaction__source", flat=True).iterator()}


def lent_for_good() -> dict[tuple[str, str], int]:
    """(workspace id, funding) → nano-dollars that went to the workspace's holds and did not come back from them."""
    found: dict[tuple[str, str], int] = {}
    away = Entry.objects.filter(credit__kind=AccountKind.HOLDS).values_list("debit__workspace", "debit__kind")
    back = Entry.objects.filter(debit__kind=AccountKind.HOLDS, credit__workspace__isnull=False)
    for sign, moved in ((1, away), (-1, back.values_list("credit__workspace", "credit__kind"))):
        for owner, kind, nanos in moved.annotate(nanos=Sum("amount_nanos")).order_by():
            found[owner, kind] = found.get((owner, kind), 0) + sign * int(nanos)
    return found


def totals() -> dict[str, int]:
    """Nano-dollars by kind of account."""
    sums = dict(Account.objects.values_list("kind").annotate(total=Sum("balance_nanos")))
    return {kind: sums.get(kind, 0) for kind in AccountKind.values}
