"""The one path of every prediction, whatever protocol it came by. Nothing else calls gate, router or recorder."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from django.conf import settings

from billing.errors import StoreDown
from billing.gate import holds
from billing.gate.holds import FREE, Hold
from billing.metering import recorder
from billing.metering.models import Status, UsageEvent
from billing.metering.recorder import LeaseClosed, Usage
from billing.prices.quote import cost
from inference import limits, testmode
from inference import plan as planning
from inference.call import Call, Outcome
from inference.engines.engine import Piece, Result
from inference.errors import DeadlinePassed, Overloaded, Stopped, UpstreamBusy, UpstreamFailed
from inference.plan import Plan
from inference.routing import router
from marketplace.errors import ModelNotReady
from portal.accounts.keys.lookup import Caller
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
    held = _hold(call, plan)
    try:
        result, replica = _infer(call, plan)
    except BaseException as error:
        _failed(call, plan, held, error, started)
        raise
    empty = plan.resolved.task.streams and not call.raw and not result.units.get("output_token")
    units = {} if empty else result.units  # nothing was generated: free, as in a stream
    return _settle(call, plan, held, Usages(units, replica, output=result.output), started)


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
        self._held = _hold(call, self._plan)
        try:
            self._pieces, self._replica = _stream(call, self._plan)
        except BaseException as error:
            _failed(call, self._plan, self._held, error, self._started)
            raise

    def __iter__(self) -> Iterator[Piece]:
        so_far = Usages({}, self._replica, status=Status.CANCELED)
        try:
            for piece in self._pieces:
                self._count(so_far, piece)
                yield piece
        except GeneratorExit:
            if self._call.wishes.finish and not self._settled:
                self._drain(so_far)
            raise
        except Exception as error:
            self.waived = _is_own_deadline(self._call, error, self._started)
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
            for piece in self._pieces:
                self._count(so_far, piece)
        except Problem:  # nobody is there to hear it
            so_far.status = Status.FAILED

    def _count(self, so_far: Usages, piece: Piece) -> None:
        """Takes in what the piece says was used: on disk with the last one, and now and then before."""
        now = time.perf_counter()
        if piece.text or (piece.native and piece.units.get("output_token")):  # a role alone is nothing yet
            if so_far.first_ms is None:
                so_far.first_ms = round((now - self._started) * 1000)
            so_far.units = piece.units
        if piece.finish:
            so_far.units = piece.units if so_far.first_ms is not None else {}
            self._end(so_far, Status.SUCCEEDED, piece.finish)
        elif now - self._checked >= CHECKPOINT_EVERY_S and so_far.units:
            self._checked = now
            self._checkpoint(so_far)

    def _checkpoint(self, so_far: Usages) -> None:
        try:
            recorder.checkpoint(_usage(self._call, self._plan, self._held, so_far, self._started))
            so_far.checkpointed = True
        except StoreDown:
            pass  # the stream goes on; the event at its end decides

    def _end(self, so_far: Usages, status: str, finish: str = "") -> None:
        self._status, self._settled = status, True
        so_far.status = status
        so_far.finish = finish
        if self.waived:
            so_far.units = {}
        self.outcome = _settle(self._call, self._plan, self._held, so_far, self._started)


@dataclasses.dataclass(frozen=True, slots=True)
class Ran:
    """What made an answer. It is kept beside the answer, for the log of those who get it from memory."""

    model: str
    version_id: str
    protocol: str


def remembered(ran: Ran, request_id: str, caller: Caller, operation_id: str = "") -> None:
    """Notes a request that was answered from memory: it is in the log, and costs nothing. Raises StoreDown."""
    recorder.record(
        Usage(
            request_id=request_id,
            workspace_id=caller.workspace_id,
            key_id=caller.key_id,
            model=ran.model,
            version_id=ran.version_id,
            replica="",
            protocol=ran.protocol,
            units={},
            price_id="",
            cost_nanos=0,
            lease_id="",
            funding="",
            latency_ms=0,
            operation_id=operation_id[:64],
            status=Status.REPLAYED,
        )
    )


def replayed(operation_id: str, request_id: str, caller: Caller) -> None:
    """Notes a request that got the kept answer of an operation, unless that asked no model. Raises StoreDown."""
    first = UsageEvent.objects.filter(operation_id=operation_id).order_by("recorded_at").first()
    if first is not None:
        remembered(Ran(first.model, first.version_id, first.protocol), request_id, caller, operation_id)


@dataclasses.dataclass(slots=True)
class Usages:
    """What a call has used so far, where, and how it went."""

    units: Mapping[str, int]
    replica: str
    output: Any = None
    status: str = Status.SUCCEEDED
    finish: str = ""
    first_ms: int | None = None
    checkpointed: bool = False


def _or_by_fallback(call: Call, attempt: Callable[[Call], T]) -> T:
    """What the attempt gives, with the call's model or the first of its fallbacks that can answer."""
    started = time.perf_counter()
    for model in (call.model, *call.wishes.fallbacks[:-1]) if call.wishes.fallbacks else ():
        try:
            return attempt(dataclasses.replace(call, model=model))
        except _MAY_DO_ELSEWHERE as error:
            if _is_own_deadline(call, error, started):
                raise
    return attempt(dataclasses.replace(call, model=call.wishes.fallbacks[-1]) if call.wishes.fallbacks else call)


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """What a call was let in with: its budget, and its share of the key's limits."""

    budget: Hold
    entry: limits.Entry


def _hold(call: Call, plan: Plan) -> Held:
    entry = limits.enter(call.caller, plan.most_tokens)
    try:
        return Held(holds.hold(call.caller.workspace_id, call.caller.key_id, plan.most_nanos), entry)
    except BaseException:
        limits.leave(entry, 0)
        raise


def _infer(call: Call, plan: Plan) -> tuple[Result, str]:
    if call.caller.test:
        return testmode.infer(plan.resolved, plan.work, call.wishes.fault), testmode.REPLICA
    return router.infer(plan.resolved, plan.work)


def _stream(call: Call, plan: Plan) -> tuple[Iterator[Piece], str]:
    if call.caller.test:
        return testmode.stream(plan.resolved, plan.work, call.wishes.fault), testmode.REPLICA
    return router.stream(plan.resolved, plan.work)


def _failed(call: Call, plan: Plan, held: Held, error: BaseException, started: float) -> None:
    """Ends the hold; a failure that reached an engine is in the log, and free. With a replica where it is at fault."""
    holds.release(held.budget)
    limits.leave(held.entry, 0)
    refused = isinstance(error, (Overloaded, ModelNotReady)) and not isinstance(error, UpstreamBusy)
    if refused or not isinstance(error, Exception):
        return
    used = Usages({}, getattr(error, "replica", ""), status=Status.FAILED)
    if isinstance(error, Stopped) or _is_own_deadline(call, error, started):
        used = Usages({}, "", status=Status.CANCELED)
    try:
        recorder.record(_usage(call, plan, Held(FREE, held.entry), used, started))
    except StoreDown:
        pass  # what failed must be heard, not that it could not be noted


def _is_own_deadline(call: Call, error: BaseException, started: float) -> bool:
    """Whether the caller's own deadline ended the call, and not the model's."""
    wanted = call.wishes.timeout_s
    return isinstance(error, DeadlinePassed) and wanted is not None and time.perf_counter() - started >= wanted - 0.05


def _usage(call: Call, plan: Plan, held: Held, used: Usages, started: float) -> Usage:
    """The record of the call. Never bills more than was held."""
    return Usage(
        request_id=call.request_id,
        workspace_id=call.caller.workspace_id,
        key_id=call.caller.key_id,
        model=plan.resolved.slug,
        version_id=plan.resolved.version_id,
        replica=used.replica,
        protocol=call.protocol,
        units=dict(used.units),
        price_id=plan.price_id,
        cost_nanos=min(cost(plan.rates, used.units), held.budget.nanos),
        lease_id=held.budget.lease_id,
        funding=held.budget.funding,
        latency_ms=round((time.perf_counter() - started) * 1000),
        first_ms=used.first_ms,
        operation_id=call.wishes.operation_id,
        status=used.status,
        checkpointed=used.checkpointed,
    )


def _settle(call: Call, plan: Plan, held: Held, used: Usages, started: float) -> Outcome:
    """Records what was used, ends the hold."""
    usage = _usage(call, plan, held, used, started)
    try:
        event_id = recorder.record(usage)
    except LeaseClosed:
        holds.release(held.budget)
        raise
    except Problem:
        holds.abandon(held.budget)
        raise
    else:
        holds.settle(held.budget, usage.cost_nanos)
    finally:
        limits.leave(held.entry, used.units.get("input_token", 0) + used.units.get("output_token", 0))
    finish = used.finish or (used.output.get("finish_reason") if isinstance(used.output, dict) else "")
    if plan.capped and not finish and isinstance(used.output, dict):
        finish = next((choice.get("finish_reason") for choice in used.output.get("choices") or ()), "")
    capped = plan.capped and finish == "length"
    return Outcome(plan.resolved, used.output, used.units, usage.cost_nanos, event_id, usage.latency_ms, capped)
