"""Purses: what this process was lent, in memory."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field

from billing.gate.binding import Binding
from billing.ledger.parts import Parts

ASK_EVERY_S = 1.0  # a purse asks so often at most for what others have not spent


@dataclass(slots=True)
class Lent:
    """A lease of this process. Guarded by its purse's lock."""

    lease_id: str
    left: Parts  # in the order in which they are spent
    retires_at: float  # time.monotonic()
    used_at: float
    extended_at: float
    outstanding: int = 0


@dataclass(slots=True)
class Purse:
    """What this process was lent under a binding, and leases that only wait for their last requests."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    current: Lent | None = None
    retired: list[Lent] = field(default_factory=list)
    blocks: int = 1
    borrowed_at: float = 0.0
    asked_at: float = -ASK_EVERY_S
    more: threading.Condition = field(init=False)  # told when what was asked for came
    dropped: bool = False

    def __post_init__(self) -> None:
        self.more = threading.Condition(self.lock)

    def retire(self) -> None:
        """No new holds of the current lease."""
        if self.current is not None:
            self.retired.append(self.current)
            self.current = None


_purses: dict[Binding, Purse] = {}


def of(bound: Binding) -> Purse:
    """The purse under this binding; look at `dropped` once it is locked."""
    return _purses.get(bound) or _purses.setdefault(bound, Purse())


def everyone() -> list[Purse]:
    """All purses that there are now."""
    return list(_purses.values())


def drop_empty(before: float) -> None:
    """Forgets purses that hold nothing and last borrowed before then (time.monotonic())."""
    for bound, purse in list(_purses.items()):
        with purse.lock:
            if not purse.current and not purse.retired and purse.borrowed_at < before:
                purse.dropped = True
                _purses.pop(bound, None)


def forget() -> None:
    """Drops all purses without closing their leases, as a killed process does."""
    _purses.clear()


os.register_at_fork(after_in_child=forget)  # what the parent was lent is the parent's
