"""Proves that balances are what the entries say."""

from __future__ import annotations

from django.db.models import Sum

from billing.ledger.kinds import AccountKind
from billing.ledger.models import Account, Entry


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
    return wrong


def totals() -> dict[str, int]:
    """Nano-dollars by kind of account."""
    sums = dict(Account.objects.values_list("kind").annotate(total=Sum("balance_nanos")))
    return {kind: sums.get(kind, 0) for kind in AccountKind.values}
