"""What moved on a workspace's accounts in a period, between an opening and a closing balance that add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Max, Q, Sum

from billing.ledger.kinds import AccountKind
from billing.ledger.models import Account, Entry

# Budget lent to processes, and what they used of it: thousands of postings a month, told as one movement.
_USAGE = ("lend", "usage")
MOST_OF_A_KIND = 200  # told one by one; more of a kind in one period are told as their sum
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Movement:
    """One happening, or `count` of one kind: account kind → change in nano-dollars. What a workspace owes is negative."""

    kind: str
    changes: Mapping[str, int]
    count: int = 1
    at: datetime | None = None  # None: many
    memo: str = ""
    source: str = ""

    @property
    def nanos(self) -> int:
        """The change of all its accounts together."""
        return sum(self.changes.values())


@dataclass(frozen=True, slots=True)
class Movements:
    """opening + Σ changes = closing, for each account kind."""

    opening: Mapping[str, int]
    closing: Mapping[str, int]
    rows: list[Movement] = field(default_factory=list)

    @property
    def adds_up(self) -> bool:
        """Whether the movements lead from the opening to the closing balance."""
        return all(
            self.opening.get(kind, 0) + sum(row.changes.get(kind, 0) for row in self.rows) == self.closing.get(kind, 0)
            for kind in AccountKind.values
        )

    @property
    def kinds(self) -> list[str]:
        """The account kinds that held or moved something, in the order of the book."""
        moved = (*(row.changes for row in self.rows), self.opening, self.closing)
        return [kind for kind in AccountKind.values if any(changes.get(kind) for changes in moved)]


def movements(workspace_id: str, start: datetime, end: datetime) -> Movements:
    """The workspace's, from `start` until before `end`, the newest first.

    Balances are counted back from those of now, so that no sum goes over all time. A posting in the middle of the reading
    would show as a difference: then it is read again.
    """
    for _try in range(_TRIES - 1):
        before = _last(workspace_id)
        found = _read(workspace_id, start, end)
        if before == _last(workspace_id):
            return found
    return _read(workspace_id, start, end)


def _last(workspace_id: str) -> int | None:
    of_it = Q(debit__workspace_id=workspace_id) | Q(credit__workspace_id=workspace_id)
    last: int | None = Entry.objects.filter(of_it).aggregate(last=Max("pk"))["last"]
    return last


def _read(workspace_id: str, start: datetime, end: datetime) -> Movements:
    accounts: dict[int, str] = {}
    balances: dict[str, int] = {}
    for pk, kind, nanos in Account.objects.filter(workspace_id=workspace_id).values_list("pk", "kind", "balance_nanos"):
        accounts[pk], balances[kind] = kind, nanos
    since = Q(transaction__posted_at__gte=start)
    inside = since & Q(transaction__posted_at__lt=end)
    entries = Entry.objects.filter(inside, Q(debit__in=accounts) | Q(credit__in=accounts))
    counts = dict(
        entries.order_by().values_list("transaction__kind").annotate(n=Count("transaction_id", distinct=True))
    )
    usage = [counts.pop(kind, 0) for kind in _USAGE][-1]
    rows = [Movement("usage", _changes(accounts, inside & Q(transaction__kind__in=_USAGE)), usage)]
    for kind in sorted(kind for kind, count in counts.items() if count > MOST_OF_A_KIND):
        rows.append(Movement(kind, _changes(accounts, inside & Q(transaction__kind=kind)), counts.pop(kind)))
    rows = [row for row in rows if any(row.changes.values())] + _each(accounts, inside, list(counts))
    closing = _less(balances, _changes(accounts, Q(transaction__posted_at__gte=end)))
    return Movements(_less(balances, _changes(accounts, since)), closing, rows)


def _each(accounts: Mapping[int, str], which: Q, kinds: list[str]) -> list[Movement]:
    """One by one, the newest first."""
    entries = Entry.objects.filter(which, Q(debit__in=accounts) | Q(credit__in=accounts), transaction__kind__in=kinds)
    found: dict[str, dict[str, int]] = {}
    said: dict[str, tuple[datetime, str, str, str]] = {}
    for entry in entries.select_related("transaction"):
        posted = entry.transaction
        said[posted.pk] = posted.posted_at, posted.kind, posted.memo, posted.source
        changes = found.setdefault(posted.pk, {})
        for account, change in ((entry.debit_id, -entry.amount_nanos), (entry.credit_id, entry.amount_nanos)):
            if account in accounts:
                changes[accounts[account]] = changes.get(accounts[account], 0) + change
    return [
        Movement(kind, found[pk], at=at, memo=memo, source=source)
        for pk, (at, kind, memo, source) in sorted(said.items(), key=lambda one: (one[1][0], one[0]), reverse=True)
    ]


def _changes(accounts: Mapping[int, str], which: Q) -> dict[str, int]:
    """Account kind → credits − debits."""
    found: dict[str, int] = {}
    for side, sign in (("credit", 1), ("debit", -1)):
        entries = Entry.objects.filter(which, **{f"{side}__in": list(accounts)}).order_by()
        for account, nanos in entries.values_list(side).annotate(nanos=Sum("amount_nanos")):
            found[accounts[account]] = found.get(accounts[account], 0) + sign * nanos
    return found


def _less(balances: Mapping[str, int], changes: Mapping[str, int]) -> dict[str, int]:
    return {kind: nanos - changes.get(kind, 0) for kind, nanos in balances.items()}
