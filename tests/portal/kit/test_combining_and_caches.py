"""One thread works for all that wait; a value is loaded once and is never too old."""

from __future__ import annotations

import os
import threading
import time

import pytest

from portal.kit.caches import RecentValues
from portal.kit.combining import Combiner, Full, Ticket, TimedOut


def double(tickets: list[Ticket[int, int]]) -> None:
    for ticket in tickets:
        ticket.result = ticket.item * 2


def test_a_lone_caller_works_on_its_own_thread() -> None:
    threads: list[int] = []

    def work(tickets: list[Ticket[int, int]]) -> None:
        threads.append(threading.get_ident())
        double(tickets)

    assert Combiner(work, 8, 8).submit(21) == 42
    assert threads == [threading.get_ident()]


def test_everybody_gets_their_own_result_and_those_who_wait_share_a_turn() -> None:
    turns: list[int] = []

    def work(tickets: list[Ticket[int, int]]) -> None:
        turns.append(len(tickets))
        time.sleep(0.005)
        double(tickets)

    combiner = Combiner(work, 64, 64)
    results: dict[int, int] = {}
    threads = [threading.Thread(target=lambda n=n: results.__setitem__(n, combiner.submit(n))) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: n * 2 for n in range(40)}
    assert sum(turns) == 40
    assert max(turns) > 1


def test_who_is_alone_does_not_wait_for_company() -> None:
    combiner = Combiner(double, 8, 8)

    def seconds(times: int) -> float:
        started = time.perf_counter()
        for n in range(times):
            combiner.submit(n)
        return time.perf_counter() - started

    assert min(seconds(100) for _ in range(10)) < 100 * 0.00005


def test_on_one_core_who_can_run_shares_the_turn_of_who_came_first() -> None:
    """While the first one works nobody else gets the core; so it lets them come first."""
    turns: list[int] = []

    def work(tickets: list[Ticket[int, int]]) -> None:
        turns.append(len(tickets))
        sum(range(20_000))  # half a millisecond of this core
        double(tickets)

    combiner, begin = Combiner(work, 64, 64), threading.Event()

    def ask() -> None:
        os.sched_setaffinity(0, {core})
        begin.wait(5)
        for n in range(50):
            combiner.submit(n)

    core = min(os.sched_getaffinity(0))
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    begin.set()
    for thread in threads:
        thread.join()
    assert sum(turns) == 400
    assert len(turns) < 300


def test_a_turn_takes_what_its_items_weigh_and_at_least_one() -> None:
    turns: list[list[int]] = []
    begun, go = threading.Event(), threading.Event()

    def work(tickets: list[Ticket[int, int]]) -> None:
        turns.append([ticket.item for ticket in tickets])
        begun.set()
        go.wait(5)
        double(tickets)

    combiner = Combiner(work, 10, 64, weigh=lambda item: item)
    threads = []
    for item in (1, 4, 6, 1, 99, 2):
        threads.append(threading.Thread(target=combiner.submit, args=(item,)))
        threads[-1].start()
        begun.wait(5)
        while combiner.waiting() < len(threads) - 1:
            time.sleep(0.001)
    go.set()
    for thread in threads:
        thread.join()
    assert turns == [[1], [4, 6], [1], [99], [2]]


def test_one_failure_in_a_turn_leaves_the_others_alone_and_the_line_moves_on() -> None:
    def work(tickets: list[Ticket[int, int]]) -> None:
        for ticket in tickets:
            if ticket.item < 0:
                ticket.error = ValueError("negative")
            else:
                ticket.result = ticket.item

    combiner = Combiner(work, 8, 8)
    with pytest.raises(ValueError, match="negative"):
        combiner.submit(-1)
    assert combiner.submit(5) == 5


def test_a_worker_that_raises_does_not_stop_the_line() -> None:
    calls: list[int] = []

    def work(tickets: list[Ticket[int, int]]) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("once")
        double(tickets)

    combiner = Combiner(work, 8, 8)
    with pytest.raises(RuntimeError, match="once"):
        combiner.submit(1)
    assert combiner.submit(2) == 4


def test_a_line_is_bounded_and_a_caller_may_leave_it() -> None:
    begun, go = threading.Event(), threading.Event()

    def work(tickets: list[Ticket[int, int]]) -> None:
        begun.set()
        go.wait(5)
        double(tickets)

    combiner = Combiner(work, 8, 1)
    first = threading.Thread(target=combiner.submit, args=(1,))
    first.start()
    begun.wait(5)
    seen: list[type[Exception]] = []

    def leaves() -> None:
        try:
            combiner.submit(2, timeout_s=0.2)
        except TimedOut:
            seen.append(TimedOut)

    second = threading.Thread(target=leaves)
    second.start()
    while not combiner.waiting():
        time.sleep(0.001)
    with pytest.raises(Full):
        combiner.submit(3)
    second.join()
    assert seen == [TimedOut]
    go.set()
    first.join()
    assert combiner.submit(4) == 8


def test_a_value_is_loaded_once_for_many_and_again_when_it_is_old() -> None:
    loads: list[str] = []

    def load(key: str) -> int:
        loads.append(key)
        time.sleep(0.02)
        return len(loads)

    recent: RecentValues[str, int] = RecentValues(load, 0.1)
    threads = [threading.Thread(target=recent.get, args=("a",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == ["a"]
    time.sleep(0.12)
    assert recent.get("a") == 2
    recent.forget("a")
    assert recent.get("a") == 3


def test_an_error_is_not_remembered() -> None:
    answers = iter([RuntimeError("down"), 7])

    def load(key: str) -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    recent: RecentValues[str, int] = RecentValues(load, 10)
    with pytest.raises(RuntimeError):
        recent.get("a")
    assert recent.get("a") == 7
