"""The one path of every prediction, whatever protocol it came by. Nothing else calls gate, router or recorder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from billing.gate import holds
from billing.gate.holds import Hold
from billing.metering import recorder
from billing.metering.recorder import LeaseClosed, Usage
from billing.prices.quote import cost
from inference.call import Call, Outcome
from inference.engines.engine import Piece, Work
from inference.errors import CredentialTooNarrow, WrongProtocol
from inference.routing import router
from marketplace.catalog.resolve import Resolved, resolve
from marketplace.tasks.schema import Check
from portal.kit.errors import Problem

_checks: dict[str, Check] = {}


def run(call: Call) -> Outcome:
    """The whole answer. Its usage event is on disk when this returns; a failure bills nothing.

    Raises Problems: of the catalog (404, 503), the schema (422), the gate (402), the engine (5xx), the store (503).
    """
    started = time.perf_counter()
    resolved = _resolve(call)
    held = holds.hold(call.caller.workspace_id, call.caller.key_id, most(resolved, call))
    try:
        result, replica = router.infer(resolved, Work(call.given, call.raw, settings.UPSTREAM_TIMEOUT_S))
    except BaseException:
        holds.release(held)
        raise
    return _settle(call, resolved, held, replica, result.output, result.units, started)


class Stream:
    """An answer in pieces. What was delivered is billed, once, however it ends; an answer without text is free.

    The usage event is on disk before the last piece is given, and when the reader leaves early.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._started = time.perf_counter()
        self.resolved = _resolve(call)
        self.outcome: Outcome | None = None
        self._held = holds.hold(call.caller.workspace_id, call.caller.key_id, most(self.resolved, call))
        try:
            work = Work(call.given, call.raw, settings.UPSTREAM_TIMEOUT_S)
            self._pieces, self._replica = router.stream(self.resolved, work)
        except BaseException:
            holds.release(self._held)
            raise

    def __iter__(self) -> Iterator[Piece]:
        units: Mapping[str, int] = {}
        spoke = False
        try:
            for piece in self._pieces:
                spoke = spoke or bool(piece.text) or piece.native is not None
                units = piece.units
                if piece.finish:
                    self._end(units if spoke else {})
                yield piece
        finally:
            close = getattr(self._pieces, "close", None)
            if close is not None:
                close()
            if self.outcome is None:
                self._end(units if spoke else {})

    def _end(self, units: Mapping[str, int]) -> None:
        self.outcome = _settle(self._call, self.resolved, self._held, self._replica, None, units, self._started)


def most(resolved: Resolved, call: Call) -> int:
    """The most that the call can cost, in nano-dollars: input by its size, output by what may be generated.

    A token is at least one byte, so the bytes of the input bound its tokens.
    """
    rates = resolved.rates
    if not rates:
        return 0
    units: dict[str, int] = {"request": 1}
    if call.raw:
        units[resolved.task.row_unit] = len(next(iter(call.given.values())))
    else:
        units |= resolved.task.codec.units(call.given)
    if "input_token" in rates or "output_token" in rates:
        cap = resolved.spec.max_output_tokens
        wanted = call.given.get("max_completion_tokens") or call.given.get("max_tokens") or cap
        units["input_token"] = _bytes(call.given)
        units["output_token"] = min(wanted, max(cap, 1)) * (call.given.get("n") or 1)
    return cost(rates, units)


def _resolve(call: Call) -> Resolved:
    if call.caller.model and call.caller.model != call.model.partition("@")[0]:
        raise CredentialTooNarrow(f"This token is good for {call.caller.model} only.")
    resolved = resolve(call.model, call.caller.workspace_id)
    if call.raw:
        return resolved
    if call.protocol not in resolved.task.protocols:
        names = {"openai": "chat completions", "predictions": "predictions", "oip": "the Open Inference Protocol"}
        ways = ", ".join(names[p] for p in resolved.task.protocols)
        raise WrongProtocol(f"{resolved.slug} does {resolved.task.title.lower()}: call it by {ways}.")
    check = _checks.get(resolved.version_id)
    if check is None:
        check = _checks[resolved.version_id] = Check(resolved.task.codec.input_schema(resolved.spec))
    check(call.given, call.pointer)
    return resolved


def _settle(
    call: Call,
    resolved: Resolved,
    held: Hold,
    replica: str,
    output: Any,
    units: Mapping[str, int],
    started: float,
) -> Outcome:
    """Records what was used, ends the hold. Never bills more than was held."""
    nanos = min(cost(resolved.rates, units), held.nanos)
    latency_ms = round((time.perf_counter() - started) * 1000)
    usage = Usage(
        request_id=call.request_id,
        workspace_id=call.caller.workspace_id,
        key_id=call.caller.key_id,
        model=resolved.slug,
        version_id=resolved.version_id,
        replica=replica,
        protocol=call.protocol,
        units=dict(units),
        price_id=resolved.price_id,
        cost_nanos=nanos,
        lease_id=held.lease_id,
        funding=held.funding,
        latency_ms=latency_ms,
    )
    try:
        event_id = recorder.record(usage)
    except LeaseClosed:
        holds.release(held)
        raise
    except Problem:
        holds.abandon(held)
        raise
    holds.settle(held, nanos)
    return Outcome(resolved, output, units, nanos, event_id, latency_ms)


def _bytes(given: Any) -> int:
    if isinstance(given, str):
        return len(given.encode())
    if isinstance(given, Mapping):
        return sum(_bytes(value) + 8 for value in given.values())
    if isinstance(given, (list, tuple)):
        return sum(_bytes(value) + 8 for value in given)
    return 8
