"""What a workspace has and owes, as the ledger says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, Sum

from billing.ledger.kinds import AccountKind
from billing.ledger.models import Account, Entry


@dataclass(frozen=True, slots=True)
class Balance:
    """Nano-dollars. `held` is lent to processes right now: the part they do not spend comes back."""

    promo_nanos: int = 0
    credit_nanos: int = 0
    owed_nanos: int = 0
    held_nanos: int = 0
    payable_nanos: int = 0  # a publisher's: earned and not paid out yet


def balance(workspace_id: str) -> Balance:
    """The workspace's balance; zeros before its first use."""
    held = dict(Account.objects.filter(workspace_id=workspace_id).values_list("kind", "balance_nanos"))
    return Balance(
        promo_nanos=held.get(AccountKind.PROMO, 0),
        credit_nanos=held.get(AccountKind.CREDIT, 0),
        owed_nanos=-held.get(AccountKind.RECEIVABLE, 0),
        held_nanos=held.get(AccountKind.HOLDS, 0),
        payable_nanos=held.get(AccountKind.PAYABLE, 0),
    )


def lock_fundings(workspace_id: str) -> dict[str, int]:
    """Balances by kind of what can fund usage, locked until the transaction ends; empty before first use.

    The holds are locked along: who lends posts to them next, and accounts are locked in the order of their ids.
    """
    kinds = (AccountKind.PROMO, AccountKind.CREDIT, AccountKind.RECEIVABLE, AccountKind.HOLDS)
    accounts = Account.objects.select_for_update().filter(workspace_id=workspace_id, kind__in=kinds).order_by("pk")
    held = {account.kind: account.balance_nanos for account in accounts}
    held.pop(AccountKind.HOLDS, None)
    return held


def causes(kind: str, start: datetime, end: datetime) -> set[str]:
    """What moved accounts of a kind from `start` until before `end`: its postings' sources without what comes after the id."""
    posted = Entry.objects.filter(transaction__posted_at__gte=start, transaction__posted_at__lt=end)
    moved = posted.filter(Q(debit__kind=kind) | Q(credit__kind=kind)).order_by()
    return {
        ":".join(source.split(":")[:2]) for source in moved.values_list("transaction__source", flat=True).iterator()
    }


def payables() -> dict[str, int]:
    """Workspace → nano-dollars that it is owed as a publisher, of all that are not zero."""
    held = Account.objects.filter(kind=AccountKind.PAYABLE).exclude(balance_nanos=0)
    return dict(held.values_list("workspace_id", "balance_nanos"))


def payable_adjustments() -> dict[str, int]:
    """Workspace → nano-dollars by which operators corrected what it is owed as a publisher."""
    found: dict[str, int] = {}
    for side, sign in (("credit", 1), ("debit", -1)):
        rows = Entry.objects.filter(**{f"{side}__kind": AccountKind.PAYABLE, "transaction__kind": "adjustment"})
        of = f"{side}__workspace_id"
        for workspace_id, nanos in rows.values_list(of).annotate(n=Sum("amount_nanos")).order_by():
            found[workspace_id] = found.get(workspace_id, 0) + sign * int(nanos)
    return found
