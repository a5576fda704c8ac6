"""What a call was let in with and what it used: holds its budget, records its usage event, ends the hold."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billing.errors import NoBudget, StoreDown
from billing.gate import holds
from billing.gate.holds import FREE, Hold
from billing.metering import recorder
from billing.metering.models import Status, UsageEvent
from billing.metering.recorder import LeaseClosed, Usage
from inference import limits
from inference.call import Call, Outcome
from inference.counting import tokens_read
from inference.errors import DeadlinePassed, Overloaded, Stopped, Unloadable, UpstreamBusy
from inference.plan import Plan
from marketplace.errors import ModelNotReady
from portal.accounts.keys.lookup import Caller
from portal.kit.errors import Problem


@dataclass(slots=True)
class Usages:
    """What a call has used so far, where, and how it went."""

    units: Mapping[str, int]
    replica: str
    output: Any = None
    status: str = Status.SUCCEEDED
    finish: str = ""
    first_ms: int | None = None
    checkpointed: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """What a call was let in with: its budget, and its share of the key's limits."""

    budget: Hold
    entry: limits.Entry


def hold(call: Call, plan: Plan) -> Held:
    """Lets the call in. Raises what limits.enter and holds.hold raise: 402, 429, 503."""
    entry = limits.enter(call.caller, plan.most_tokens)
    try:
        return Held(_budget(call, plan), entry)
    except BaseException:
        limits.leave(entry, 0)
        raise


def _budget(call: Call, plan: Plan) -> Hold:
    """What the dearest tier in reach can cost; where that is not there, what it costs if no other request comes between."""
    try:
        return holds.hold(call.caller.workspace_id, call.caller.key_id, plan.most_nanos)
    except NoBudget:
        if plan.next_nanos >= plan.most_nanos:
            raise
    return holds.hold(call.caller.workspace_id, call.caller.key_id, plan.next_nanos)


def failed(call: Call, plan: Plan, held: Held, error: BaseException, started: float) -> None:
    """Ends the hold; a failure that reached an engine is in the log, and free. With a replica where it is at fault."""
    holds.release(held.budget)
    limits.leave(held.entry, 0)
    refused = isinstance(error, (Overloaded, ModelNotReady)) and not isinstance(error, (UpstreamBusy, Unloadable))
    if refused or not isinstance(error, Exception):
        return
    used = Usages({}, getattr(error, "replica", ""), status=Status.FAILED)
    if isinstance(error, Stopped) or is_own_deadline(call, error, started):
        used = Usages({}, "", status=Status.CANCELED)
    try:
        recorder.record(_usage(call, plan, Held(FREE, held.entry), used, started))
    except StoreDown:
        pass  # what failed must be heard, not that it could not be noted


def is_own_deadline(call: Call, error: BaseException, started: float) -> bool:
    """Whether the caller's own deadline ended the call, and not the model's."""
    wanted = call.wishes.timeout_s
    return isinstance(error, DeadlinePassed) and wanted is not None and time.perf_counter() - started >= wanted - 0.05


def _usage(call: Call, plan: Plan, held: Held, used: Usages, started: float) -> Usage:
    """The record of the call. Never bills more than was held."""
    terms = plan.terms
    tiered = bool(terms.scheme.tiers and used.units)
    cost = 0 if tiered else min(terms.scheme.cost(used.units, terms.factor_bp), held.budget.nanos)
    return Usage(
        request_id=call.request_id,
        workspace_id=call.caller.workspace_id,
        key_id=call.caller.key_id,
        model=plan.resolved.slug,
        version_id=plan.resolved.version_id,
        replica=used.replica,
        protocol=call.protocol,
        units=dict(used.units),
        price_id=terms.price_id,
        factor_bp=terms.factor_bp,
        seller_id=plan.resolved.owner_id,
        cost_nanos=cost,
        product=plan.resolved.model_id if tiered else "",
        most_nanos=held.budget.nanos,
        lease_id=held.budget.lease_id,
        funding=held.budget.funding,
        held=held.budget.parts,
        latency_ms=round((time.perf_counter() - started) * 1000),
        first_ms=used.first_ms,
        operation_id=call.wishes.operation_id,
        status=used.status,
        checkpointed=used.checkpointed,
    )


def checkpoint(call: Call, plan: Plan, held: Held, used: Usages, started: float) -> None:
    """Keeps how far a stream has come: that much is billed should the process die. Raises StoreDown."""
    recorder.checkpoint(_usage(call, plan, held, used, started))
    used.checkpointed = True


def settle(call: Call, plan: Plan, held: Held, used: Usages, started: float) -> Outcome:
    """Records what was used, ends the hold."""
    record = _usage(call, plan, held, used, started)
    try:
        event_id, cost_nanos = recorder.record(record)
    except LeaseClosed:
        holds.release(held.budget)
        raise
    except Problem:
        holds.abandon(held.budget)
        raise
    else:
        holds.settle(held.budget, cost_nanos)
    finally:
        limits.leave(held.entry, tokens_read(used.units) + used.units.get("output_token", 0))
    finish = used.finish or (used.output.get("finish_reason") if isinstance(used.output, dict) else "")
    if plan.capped and not finish and isinstance(used.output, dict):
        finish = next((choice.get("finish_reason") for choice in used.output.get("choices") or ()), "")
    capped = plan.capped and finish == "length"
    return Outcome(plan.resolved, used.output, used.units, cost_nanos, event_id, record.latency_ms, capped)


@dataclass(frozen=True, slots=True)
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
    first = UsageEvent.objects.of_operations(operation_id).order_by("recorded_at").first()
    if first is not None:
        remembered(Ran(first.model, first.version_id, first.protocol), request_id, caller, operation_id)
