"""What moved on a workspace's accounts in a period, between an opening and a closing balance that add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Q, QuerySet, Sum

from billing.ledger.kinds import AccountKind
from billing.ledger.models import Account, Entry
from portal.kit import ids

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
    """The workspace's, from `start` until before `end` (to the millisecond), the newest first; usage is one row, the first.

    Balances are counted back from those of now, so that no sum goes over all time. A posting in the middle of the reading
    would show as a difference: then it is read again.
    """
    for _try in range(_TRIES - 1):
        book = _Book(workspace_id)
        found = _read(book, start, end)
        if book.balances == _Book(workspace_id).balances:
            return found
    return _read(_Book(workspace_id), start, end)


def _read(book: _Book, start: datetime, end: datetime) -> Movements:
    inside = Q(transaction_id__gte=ids.first("txn", start), transaction_id__lt=ids.first("txn", end))
    used, told, leases = book.sums(inside)
    later = Q(transaction_id__gte=ids.first("txn", end))
    closing = _less(book.balances, *book.sums(later)[:2])
    usage = [Movement("usage", used, leases)] if any(used.values()) else []
    return Movements(_less(closing, used, told), closing, usage + book.rows(inside))


class _Book:
    """The workspace's accounts among all that they can move money from or to."""

    def __init__(self, workspace_id: str) -> None:
        own, platform = Account.objects.filter(workspace_id=workspace_id), Account.objects.filter(workspace=None)
        self.own: dict[int, str] = {}
        self.balances: dict[str, int] = {}
        for pk, kind, nanos in own.values_list("pk", "kind", "balance_nanos"):
            self.own[pk], self.balances[kind] = kind, nanos
        self.platform = dict(platform.values_list("pk", "kind"))
        self.holds = [pk for pk, kind in self.own.items() if kind == AccountKind.HOLDS]

    def sums(self, which: Q) -> tuple[dict[str, int], dict[str, int], int]:
        """Account kind → change, by usage and by all else; and how often usage was settled.

        Usage is what passes through the holds. Each pair of accounts is a range of an index: no sum goes over all time.
        """
        used, told, settled = dict[str, int](), dict[str, int](), 0
        for debits, credits in ((self.own, {**self.own, **self.platform}), (self.platform, self.own)):
            moved = Entry.objects.filter(which, debit__in=list(debits), credit__in=list(credits)).order_by()
            for debit, credit, nanos, n in moved.values_list("debit", "credit").annotate(
                nanos=Sum("amount_nanos"), n=Count("pk")
            ):
                changes = used if debit in self.holds or credit in self.holds else told
                settled += n if debit in self.holds and credit in self.platform else 0
                self._add(changes, debit, credit, nanos)
        return used, told, settled

    def rows(self, which: Q) -> list[Movement]:
        """All but usage, the newest first, one by one where there are not too many of a kind."""
        own = [pk for pk in self.own if pk not in self.holds]
        # Two ways, each by the index.
        entries = [
            Entry.objects.filter(which, debit__in=own, credit__in=[*own, *self.platform]),
            Entry.objects.filter(which, debit__in=list(self.platform), credit__in=own),
        ]
        counts: dict[str, int] = {}
        for some in entries:
            for kind, n in some.order_by().values_list("transaction__kind").annotate(n=Count("pk")):
                counts[kind] = counts.get(kind, 0) + n
        rows = []
        for kind in sorted(kind for kind, n in counts.items() if n > MOST_OF_A_KIND):
            changes: dict[str, int] = {}
            for some in entries:
                pairs = some.filter(transaction__kind=kind).order_by().values_list("debit", "credit")
                for debit, credit, nanos in pairs.annotate(nanos=Sum("amount_nanos")):
                    self._add(changes, debit, credit, nanos)
            rows.append(Movement(kind, changes, counts.pop(kind)))
        return rows + self._each([some.filter(transaction__kind__in=list(counts)) for some in entries])

    def _each(self, entries: list[QuerySet[Entry]]) -> list[Movement]:
        found: dict[str, dict[str, int]] = {}
        said: dict[str, tuple[datetime, str, str, str]] = {}
        for some in entries:
            for entry in some.select_related("transaction"):
                posted = entry.transaction
                said[posted.pk] = posted.posted_at, posted.kind, posted.memo, posted.source
                changes = found.setdefault(posted.pk, {})
                self._add(changes, entry.debit_id, entry.credit_id, entry.amount_nanos)
        return [
            Movement(kind, found[pk], at=at, memo=memo, source=source)
            for pk, (at, kind, memo, source) in sorted(said.items(), reverse=True)
        ]

    def _add(self, changes: dict[str, int], debit: int, credit: int, nanos: int) -> None:
        for account, change in ((debit, -nanos), (credit, nanos)):
            if account in self.own:
                changes[self.own[account]] = changes.get(self.own[account], 0) + change


def _less(balances: Mapping[str, int], *changes: Mapping[str, int]) -> dict[str, int]:
    return {kind: nanos - sum(some.get(kind, 0) for some in changes) for kind, nanos in balances.items()}
