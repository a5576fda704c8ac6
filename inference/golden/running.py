"""What a worker does for a run: asks its models, an example at a time, within the ceiling. Each answer is billed once.

Examples go through `predict.run` as every call does. Of each the most that it can cost is set aside of the ceiling before
it begins, and is its own max_cost, so what is billed never exceeds the ceiling. A worker that dies is taken over when its
lease ends: what it was billed for and did not bring back is asked again for nothing.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.models import F, Min, Q, Sum
from django.utils import timezone

from billing.errors import NoBudget
from billing.metering import operations
from billing.metering.models import UsageEvent
from inference import plan as planning
from inference import predict
from inference.call import Wishes
from inference.errors import Stopped
from inference.golden import runs, scoring
from inference.golden.judges.registry import JUDGES
from inference.golden.models import OPEN, Example, GoldenAnswer, GoldenRun, GoldenState
from inference.later import deliveries
from inference.later.watch import LEASE, RENEW_S, Beside
from inference.routing import warmup
from marketplace.catalog.resolve import resolve
from portal.accounts.keys.lookup import Caller, caller
from portal.accounts.models import Key
from portal.accounts.wire import problems
from portal.kit import ids
from portal.kit.errors import Problem

AT_ONCE, A_ROUND = 4, 32  # answers
MOST_ATTEMPTS = 3  # of an answer that fails in a way that may pass
PAUSES = (timedelta(), timedelta(seconds=2), timedelta(seconds=10))  # before the next, where nothing else is left
LOOK_S = 0.5


def waiting(now: datetime) -> bool:
    """Whether there is a run to work on."""
    return GoldenRun.objects.filter(_todo(now)).exists()


def claim(now: datetime) -> GoldenRun | None:
    """The open run that waited longest for its next round, now ours until its lease ends."""
    for run in GoldenRun.objects.filter(_todo(now)).order_by(F("leased_until").asc(nulls_first=True), "pk")[:10]:
        if GoldenRun.objects.filter(_todo(now), pk=run.pk).update(leased_until=now + LEASE, state=GoldenState.RUNNING):
            run.refresh_from_db()
            return run
    return None


def work(run: GoldenRun) -> None:
    """One round of the run. Gives the lease back: at once, or after a pause where all that is left has just failed."""
    pause, watch = timedelta(), _Watch(run)
    try:
        with watch:
            pause = _round(run, watch)
    finally:
        mine = GoldenRun.objects.filter(pk=run.pk, leased_until=watch.lease)
        mine.update(leased_until=timezone.now() + pause)


def operation_of(run: GoldenRun, answer: GoldenAnswer) -> str:
    """What the attempts at one answer have in common in the usage log."""
    return f"{run.pk}:{answer.number}:{answer.column}"


def spent(run: GoldenRun) -> int:
    """Nano-dollars that the run was billed so far, also for what a worker that died did not bring back.

    That is among the next in order: who died was at the first of them, and what fails goes to the end and costs nothing.
    """
    known = run.answers.aggregate(sum=Sum("cost_nanos"))["sum"] or 0
    return known + _billed(*(operation_of(run, answer) for answer in _next(run) if not answer.cost_nanos))


class _Watch(Beside):
    """Over a run's round: renews its lease. `why` says what ended it early: canceled, or lost to another worker."""

    def __init__(self, run: GoldenRun) -> None:
        super().__init__(self._look, LOOK_S)
        self._run, self.lease, self.why = run.pk, run.leased_until, ""
        self._renew_at = timezone.now() + timedelta(seconds=RENEW_S)

    def stopped(self) -> bool:
        """Whether there is no use in going on."""
        return bool(self.why)

    def _look(self) -> None:
        now, mine = timezone.now(), GoldenRun.objects.filter(pk=self._run, leased_until=self.lease)
        found = mine.values_list("cancel_asked", flat=True).first()
        if found is None:
            self.why = "lost"
        elif found:
            self.why = self.why or "canceled"
        if self.why != "lost" and now >= self._renew_at:
            lease = now + LEASE
            if mine.update(leased_until=lease):
                self.lease, self._renew_at = lease, now + timedelta(seconds=RENEW_S)


class _Ceiling:
    """What is left of the ceiling, shared by the threads of a round."""

    def __init__(self, left_nanos: int) -> None:
        self._left, self._out = left_nanos, 0
        self._more = threading.Condition()

    def take(self, nanos: int) -> bool:
        """Sets so much aside. Where it does not fit, waits for what others do not use; False where it never will."""
        with self._more:
            while self._left < nanos:
                if not self._out:
                    return False
                self._more.wait()
            self._left -= nanos
            self._out += 1
            return True

    def settle(self, nanos: int, cost_nanos: int) -> None:
        """Ends what was set aside: what was not billed can be taken again."""
        with self._more:
            self._left += nanos - cost_nanos
            self._out -= 1
            self._more.notify_all()


def _todo(now: datetime) -> Q:
    return Q(leased_until=None, state__in=OPEN) | Q(leased_until__lte=now, state__in=OPEN)


def _round(run: GoldenRun, watch: _Watch) -> timedelta:
    """How long the next round should wait."""
    key = Key.objects.filter(pk=run.key_id, revoked_at=None).first()
    left = run.answers.filter(status=None)
    if run.cancel_asked or key is None:
        _end(run, GoldenState.CANCELED if run.cancel_asked else GoldenState.STOPPED, "" if run.cancel_asked else "key")
        return timedelta()
    todo = _next(run)
    if not todo:
        _end(run, GoldenState.COMPLETED, "")
        return timedelta()
    examples = {one.number: one for one in run.golden_set.examples.filter(number__in={one.number for one in todo})}
    _warm(run, key)
    ceiling, who = _Ceiling(run.ceiling_nanos - spent(run)), caller(key)

    def ask(one: GoldenAnswer) -> str:
        return "" if watch.stopped() else _asked(run, one, examples[one.number], who, ceiling, watch)

    lanes = deque(todo)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = list(pool.map(lambda _: _lane(ask, lanes), range(AT_ONCE)))
    if watch.why == "lost":
        return timedelta()
    why = next((end for end in ends if end), "")
    if why:
        _end(run, GoldenState.STOPPED, why)
        return timedelta()
    fewest = left.aggregate(fewest=Min("attempts"))["fewest"]
    return PAUSES[min(fewest, len(PAUSES) - 1)] if fewest else timedelta()


def _warm(run: GoldenRun, key: Key) -> None:
    """Loads what runs in this process, so that no example waits for it and the latencies are those of the models."""
    for version in run.versions:
        try:
            warmup.load(resolve(version, key.workspace_id))
        except Problem:
            pass  # the answers say so


def _lane(ask: Callable[[GoldenAnswer], str], todo: deque[GoldenAnswer]) -> str:
    """Asks for one answer after the other, on a thread of its own. A word of runs.WHY where the run cannot go on."""
    try:
        while todo:
            try:
                why = ask(todo.popleft())
            except IndexError:  # another lane took the last one
                break
            if why:
                todo.clear()
                return why
        return ""
    finally:
        connections.close_all()  # of this thread, which ends


def _asked(
    run: GoldenRun, answer: GoldenAnswer, example: Example, who: Caller, ceiling: _Ceiling, watch: _Watch
) -> str:
    operation = operation_of(run, answer)
    paid = operations.take_over(operation)
    wishes = Wishes(operation_id=operation, paid=paid, stop=watch.stopped)
    cost, why = 0, ""
    change: dict[str, Any] = {"attempts": F("attempts") + 1}
    try:
        call = runs.call_of(who, run.golden_set, run.versions[answer.column], example, wishes, ids.make("req"))
        most = planning.plan(call, settings.UPSTREAM_TIMEOUT_S).most_nanos
        # A nano more where it fits: what was rounded down would shorten an answer by a token.
        aside = next((nanos for nanos in ((most + 1, most) if most else (0,)) if ceiling.take(nanos)), None)
        if aside is None:
            return "ceiling"
        try:
            if aside:
                call = dataclasses.replace(call, wishes=dataclasses.replace(wishes, most_nanos=aside))
            outcome = predict.run(call)
            cost = outcome.cost_nanos
        finally:
            ceiling.settle(aside, cost)
        change |= {
            "status": 200,
            "said": JUDGES[run.golden_set.task].said(outcome.output),
            "latency_ms": outcome.latency_ms,
            "cost_nanos": _billed(operation) if paid else cost,
        }
    except Stopped:
        return ""
    except Exception as error:
        problem = problems.as_problem(error)
        last = answer.attempts + 1 >= MOST_ATTEMPTS
        if isinstance(error, NoBudget) and last:
            why = "budget"
        elif last or not (problem.status in (402, 429) or problem.status >= 500):
            change |= {"status": problem.status, "said": problem.message}
        change["cost_nanos"] = _billed(operation)
    GoldenAnswer.objects.filter(pk=answer.pk, status=None).update(**change)
    return why


def _next(run: GoldenRun) -> list[GoldenAnswer]:
    return list(run.answers.filter(status=None).order_by("attempts", "number", "column")[:A_ROUND])


def _billed(*operations: str) -> int:
    return UsageEvent.objects.of_operations(*operations).aggregate(sum=Sum("cost_nanos"))["sum"] or 0


def _end(run: GoldenRun, state: GoldenState, why: str) -> None:
    """Judges what was answered; the results and the end are written together, once."""
    results = scoring.results(run)
    ended = GoldenRun.objects.filter(pk=run.pk, state__in=OPEN).update(
        state=state, why=why, results=results, cost_nanos=spent(run), ended_at=timezone.now()
    )
    if ended:
        scoring.shorten(run)
        said = {"id": run.pk, "golden_set": run.golden_set_id, "status": state.value}
        deliveries.queue(run.golden_set.workspace_id, "golden_run.completed", said)
    run.refresh_from_db()
