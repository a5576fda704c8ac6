"""Flat combining: while one thread works, others line up; then the first in line works for all who wait.

Hendler, Incze, Shavit, Tzafrir: Flat Combining and the Synchronization-Parallelism Tradeoff, SPAA 2010. A lone caller
works at once on its own thread, so nothing is delayed when idle; under load the work is done in batches.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
MOST_GATHER_S = 0.004


class Full(Exception):
    """More callers wait than may."""


class TimedOut(Exception):
    """The caller's time ran out while it waited in line; its item was not worked on."""


@dataclass(slots=True)
class Ticket(Generic[T, R]):
    """An item in line; `work` sets `result` or `error`."""

    item: T
    result: R | None = None
    error: BaseException | None = None
    leads: bool = False
    taken: bool = False
    ready: threading.Lock = field(default_factory=threading.Lock)


class Combiner(Generic[T, R]):
    """`work(tickets)` is called by one thread at a time with 1 to `most` tickets, in their order.

    With `weigh`, which must not raise, `most` bounds what the items of a turn weigh in all; one that weighs more has a
    turn of its own.
    Who works lets others run first while the line grows, MOST_GATHER_S at most: on one core nobody gets into line while
    it works. Where nobody else can run, that takes a microsecond.
    An exception that `work` raises goes to every ticket that has neither result nor error of its own.
    """

    def __init__(
        self,
        work: Callable[[list[Ticket[T, R]]], None],
        most: int,
        most_waiting: int,
        weigh: Callable[[T], int] | None = None,
    ) -> None:
        self._work = work
        self._most = most
        self._weigh = weigh
        self._most_waiting = most_waiting
        self._guard = threading.Lock()
        self._line: list[Ticket[T, R]] = []
        self._busy = False

    def submit(self, item: T, timeout_s: float = -1) -> R:
        """What `work` made of the item. Raises its error, Full, or TimedOut (only before the work on it began)."""
        ticket: Ticket[T, R] = Ticket(item)
        ticket.ready.acquire()
        with self._guard:
            if self._waiting() >= self._most_waiting:
                raise Full
            self._line.append(ticket)
            at_once = ticket.leads = not self._busy
            self._busy = True
        if not at_once and not ticket.ready.acquire(timeout=timeout_s):
            with self._guard:
                if not ticket.taken and not ticket.leads:
                    self._line.remove(ticket)
                    raise TimedOut
            ticket.ready.acquire()  # its turn came in this very moment
        if ticket.leads:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        return ticket.result  # type: ignore[return-value] # None only where `work` gives None

    def waiting(self) -> int:
        """How many are in line behind who leads."""
        with self._guard:
            return self._waiting()

    def _waiting(self) -> int:
        return len(self._line) - (bool(self._line) and self._line[0].leads)

    def _turn(self) -> int:
        """How many of those in line the next turn takes."""
        if self._weigh is None or len(self._line) == 1:
            return self._most
        weight = 0
        for count, ticket in enumerate(self._line):
            weight += self._weigh(ticket.item)
            if weight > self._most:
                return max(count, 1)
        return len(self._line)

    def _lead(self) -> None:
        self._gather()
        with self._guard:
            count = self._turn()
            batch, self._line = self._line[:count], self._line[count:]
            for ticket in batch:
                ticket.taken = True
        try:
            self._work(batch)
        except BaseException as error:
            for ticket in batch:
                if ticket.result is None and ticket.error is None:
                    ticket.error = error
        finally:
            for ticket in batch:
                ticket.leads = False
                ticket.ready.release()
            with self._guard:
                if self._line:
                    self._line[0].leads = True
                    self._line[0].ready.release()
                else:
                    self._busy = False

    def _gather(self) -> None:
        """Lets others run while more come."""
        ends = time.monotonic() + MOST_GATHER_S
        before = 0
        while before < (now := len(self._line)) < self._most and time.monotonic() < ends:
            before = now
            os.sched_yield()  # to who reads requests
            os.sched_yield()  # to whom that woke
