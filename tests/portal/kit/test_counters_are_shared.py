"""Counters in a file: exact among processes, and seats of the dead are free."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

from portal.kit.counters import SharedCounters

PROCESSES, TIMES = 4, 500


def _add(path: Path) -> None:
    counters = SharedCounters(path)
    for _ in range(TIMES):
        counters.add("all", 1, 60)


def _sit(path: Path) -> None:
    SharedCounters(path).take_seat("key", 1)
    time.sleep(60)


def test_nothing_is_lost_among_processes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    running = [context.Process(target=_add, args=(tmp_path / "c",)) for _ in range(PROCESSES)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    assert SharedCounters(tmp_path / "c").get("all")[0] == PROCESSES * TIMES


def test_a_count_ends_and_begins_anew(tmp_path: Path) -> None:
    counters = SharedCounters(tmp_path / "c")
    assert counters.add("a", 3, 0.05) == 3
    assert counters.add("b", 1, 60) == 1
    time.sleep(0.06)
    assert counters.get("a")[0] == 0
    assert counters.add("a", 1, 60) == 1
    assert counters.add("a", -1, 60) == 0


def test_many_keys_do_not_mix(tmp_path: Path) -> None:
    counters = SharedCounters(tmp_path / "c")
    for number in range(5_000):
        counters.add(f"key {number}", number, 60)
    assert all(counters.get(f"key {number}")[0] == number for number in range(0, 5_000, 7))


def test_the_seat_of_a_process_that_died_is_free(tmp_path: Path) -> None:
    counters = SharedCounters(tmp_path / "c")
    process = multiprocessing.get_context("spawn").Process(target=_sit, args=(tmp_path / "c",))
    process.start()
    end = time.monotonic() + 20
    while counters.take_seat("key", 1) == 0 and time.monotonic() < end:
        counters.leave_seat("key", 0)
        time.sleep(0.05)
    assert counters.take_seat("key", 1) is None
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert counters.take_seat("key", 1) == 0
    assert counters.take_seat("key", 1) is None
    counters.leave_seat("key", 0)
    assert counters.take_seat("key", 1) == 0
