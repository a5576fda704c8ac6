"""SIGKILL to the process that reports to Stripe, at every step of it: nothing is lost, nothing is told twice."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, connections, transaction

from billing.stripe import client as stripe_client
from billing.stripe import reports
from billing.stripe.models import Report, ReportState
from tests.fixtures.reporting import EVENTS, Metered

pytestmark = pytest.mark.slow


class Sender:
    """Another process, with connections of its own, that begins when it is told to."""

    def __init__(self, work: Callable[[], object]) -> None:
        connections.close_all()
        stripe_client.client.cache_clear()
        reader, self._begin = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.read(reader, 1)
                work()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)
        os.close(reader)

    def begin(self) -> None:
        os.write(self._begin, b"!")

    def kill(self) -> bool:
        """SIGKILL. False where it had ended before."""
        os.close(self._begin)
        os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        return os.WIFSIGNALED(status)


def until(true: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come that far"
        time.sleep(0.01)


@contextmanager
def nobody_else_writes() -> Iterator[None]:
    """Whoever wants to write a report waits."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {Report._meta.db_table} IN EXCLUSIVE MODE")
        yield


def killed(metered: Metered, step: str) -> None:
    """A sender of a report, killed at the step."""
    calls = len(metered.asked(EVENTS))

    def came() -> bool:
        return len(metered.asked(EVENTS)) > calls

    if step == "between making and claiming":
        reports.make(metered.now)
    if step == "before the work":
        metered.fault("delay", seconds=0.4)
    if step.startswith("after"):
        metered.fault("delay", seconds=0.5, after=True)
    sender = Sender(metered.report)
    if step in STEPS[:2]:
        with nobody_else_writes():
            sender.begin()
            time.sleep(0.3)
            assert sender.kill(), "it ended before it was killed"
        return
    sender.begin()
    until(came)
    if step == "after the reply, before it is written down":
        with nobody_else_writes():
            time.sleep(0.8)
            assert sender.kill(), "it ended before it was killed"
        return
    if step == "after the work, before the reply":
        time.sleep(0.2)
    assert sender.kill(), "it ended before it was killed"


STEPS = [
    "before the report is made",
    "between making and claiming",
    "before the work",
    "after the work, before the reply",
    "after the reply, before it is written down",
]


@pytest.mark.parametrize("step", STEPS)
def test_a_sender_that_is_killed_loses_and_doubles_nothing(metered: Metered, step: str) -> None:
    for nanos in (1_000_100, 2_000_200):
        metered.use(nanos)
        killed(metered, step)
        left = Report.objects.filter(state=ReportState.SENDING).count()
        assert left == (0 if step in STEPS[:2] else 1), "it was killed elsewhere"
        metered.passes(minutes=3)
        metered.report_all()
        assert metered.agree()
        metered.passes(hours=1)
