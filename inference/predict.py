"""The one path of every prediction, whatever protocol it came by: plan, hold, route, settle. Nothing else knows the order."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from django.conf import settings

from billing.errors import StoreDown
from billing.metering.models import Status
from inference import plan as planning
from inference import settling, testmode
from inference.call import Call, Outcome
from inference.counting import counted
from inference.engines.engine import Piece, Result
from inference.errors import DeadlinePassed, Overloaded, UpstreamFailed
from inference.plan import Plan
from inference.routing import router
from inference.settling import Usages
from marketplace.errors import ModelNotReady
from portal.kit.errors import Problem

CHECKPOINT_EVERY_S = 2.0  # of a stream: what its process' death can lose
_MAY_DO_ELSEWHERE = (UpstreamFailed, Overloaded, DeadlinePassed, ModelNotReady)
T = TypeVar("T")


def run(call: Call) -> Outcome:
    """The whole answer. Its usage event is on disk when this returns; a failure bills nothing.

    Raises Problems: of the plan, the gate (402), the engine (5xx), the store (503).
    """
    return _or_by_fallback(call, _run)


def _run(call: Call) -> Outcome:
    started = time.perf_counter()
    plan = planning.plan(call, settings.UPSTREAM_TIMEOUT_S)
    held = settling.hold(call, plan)
    began = time.perf_counter()
    try:
        result, replica = _infer(call, plan)
    except BaseException as error:
        settling.failed(call, plan, held, error, started)
        raise
    worked_s = time.perf_counter() - began
    empty = plan.resolved.task.streams and not call.raw and not result.units.get("output_token")
    # Nothing was generated: free, as in a stream.
    units = {} if empty else counted(plan.terms.scheme, result.units, worked_s, result.output)
    return settling.settle(call, plan, held, Usages(units, replica, output=result.output), started)


class Stream:
    """An answer in pieces. What was delivered is billed, once, however it ends; an answer without text is free.

    The usage event is on disk before the last piece is given, and when the reader leaves early. While it runs, how far
    it has come is on disk every CHECKPOINT_EVERY_S: that much is billed should the process die.
    """

    def __init__(self, call: Call) -> None:
        self.outcome: Outcome | None = None
        self.waived = False  # set it before closing the stream: what was generated is of no use to its caller, and free
        self._status, self._settled = "", False
        self._started = self._checked = time.perf_counter()
        _or_by_fallback(call, self._open)

    def _open(self, call: Call) -> None:
        self._call, self._plan = call, planning.plan(call, settings.UPSTREAM_TIMEOUT_S)
        self.resolved = self._plan.resolved
        self._held = settling.hold(call, self._plan)
        began = time.perf_counter()
        try:
            self._pieces, self._replica = _stream(call, self._plan)
        except BaseException as error:
            settling.failed(call, self._plan, self._held, error, self._started)
            raise
        self._worked_s = time.perf_counter() - began

    def __iter__(self) -> Iterator[Piece]:
        so_far = Usages({}, self._replica, status=Status.CANCELED)
        try:
            for piece in self._timed():
                self._count(so_far, piece)
                yield piece
        except GeneratorExit:
            if self._call.wishes.finish and not self._settled:
                self._drain(so_far)
            raise
        except Exception as error:
            self.waived = settling.is_own_deadline(self._call, error, self._started)
            so_far.status = Status.CANCELED if self.waived else Status.FAILED
            raise
        finally:
            close = getattr(self._pieces, "close", None)
            if close is not None:
                close()
            if not self._settled:
                self._end(so_far, so_far.status)

    def close(self) -> None:
        """Ends a stream that nobody began to read, its reader having left before the first piece. Else does nothing."""
        if not self._settled:
            pieces = iter(self)
            next(pieces, None)  # it was generated before the stream was given out
            pieces.close()  # type: ignore[attr-defined] # a generator

    @property
    def succeeded(self) -> bool:
        """Whether it was generated to its end."""
        return self._status == Status.SUCCEEDED

    def _drain(self, so_far: Usages) -> None:
        """Generates to the end for a reader who left and wants the rest by another way."""
        try:
            for piece in self._timed():
                self._count(so_far, piece)
        except Problem:  # nobody is there to hear it
            so_far.status = Status.FAILED

    def _timed(self) -> Iterator[Piece]:
        """The pieces. What their reader takes between them is no work of the engine's."""
        pieces = iter(self._pieces)
        while True:
            began = time.perf_counter()
            try:
                piece = next(pieces, None)
            finally:
                self._worked_s += time.perf_counter() - began
            if piece is None:
                return
            yield piece

    def _count(self, so_far: Usages, piece: Piece) -> None:
        """Takes in what the piece says was used: on disk with the last one, and now and then before."""
        now = time.perf_counter()
        if piece.text or (piece.native and piece.units.get("output_token")):  # a role alone is nothing yet
            if so_far.first_ms is None:
                so_far.first_ms = round((now - self._started) * 1000)
            so_far.units = self._counted(piece)
        if piece.finish:
            so_far.units = self._counted(piece) if so_far.first_ms is not None else {}
            self._end(so_far, Status.SUCCEEDED, piece.finish)
        elif now - self._checked >= CHECKPOINT_EVERY_S and so_far.units:
            self._checked = now
            self._checkpoint(so_far)

    def _counted(self, piece: Piece) -> Mapping[str, int]:
        return counted(self._plan.terms.scheme, piece.units, self._worked_s)

    def _checkpoint(self, so_far: Usages) -> None:
        try:
            settling.checkpoint(self._call, self._plan, self._held, so_far, self._started)
        except StoreDown:
            pass  # the stream goes on; the event at its end decides

    def _end(self, so_far: Usages, status: str, finish: str = "") -> None:
        self._status, self._settled = status, True
        so_far.status = status
        so_far.finish = finish
        if self.waived:
            so_far.units = {}
        self.outcome = settling.settle(self._call, self._plan, self._held, so_far, self._started)


def _or_by_fallback(call: Call, attempt: Callable[[Call], T]) -> T:
    """What the attempt gives, with the call's model or the first of its fallbacks that can answer."""
    started = time.perf_counter()
    for model in (call.model, *call.wishes.fallbacks[:-1]) if call.wishes.fallbacks else ():
        try:
            return attempt(dataclasses.replace(call, model=model))
        except _MAY_DO_ELSEWHERE as error:
            if settling.is_own_deadline(call, error, started):
                raise
    return attempt(dataclasses.replace(call, model=call.wishes.fallbacks[-1]) if call.wishes.fallbacks else call)


def _infer(call: Call, plan: Plan) -> tuple[Result, str]:
    if call.caller.test:
        return testmode.infer(plan.resolved, plan.work, call.wishes.fault), testmode.REPLICA
    return router.infer(plan.resolved, plan.work)


def _stream(call: Call, plan: Plan) -> tuple[Iterator[Piece], str]:
    if call.caller.test:
        return testmode.stream(plan.resolved, plan.work, call.wishes.fault), testmode.REPLICA
    return router.stream(plan.resolved, plan.work)
