"""Chooses a replica, and another when the first cannot answer."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from inference.engines.engine import Engine, Piece, ReplicaSpec, Result, Work
from inference.errors import AtReplica, DeadlinePassed, Overloaded, Unloadable, UpstreamFailed
from inference.routing import figures, health, pool, replicas
from marketplace.catalog.resolve import Resolved
from marketplace.errors import ModelNotReady
from portal.kit.errors import Problem

MOST_TRIES = 3
MOST_OUTSTANDING = 512  # requests at one replica, unless its version's options say otherwise
PATIENT_S = 20.0  # a replica that was silent for so long failed; a shorter deadline is its caller's own haste
T = TypeVar("T")
_Failure = UpstreamFailed | Overloaded | ModelNotReady


def infer(resolved: Resolved, work: Work) -> tuple[Result, str]:
    """The answer and the replica that gave it. Tries others on connection errors, 429 and 5xx."""
    result, replica_id, state, started = _first_that_answers(resolved, work, lambda engine, left: engine.infer(left))
    state.succeeded((time.perf_counter() - started) * 1000)
    return result, replica_id


def stream(resolved: Resolved, work: Work) -> tuple[Iterator[Piece], str]:
    """The pieces and the replica that gives them. Tries others before the first piece, never after."""

    def begin(engine: Engine, left: Work) -> tuple[Piece, Iterator[Piece]]:
        pieces = iter(engine.stream(left))
        first = next(pieces, None)
        if first is None:
            raise UpstreamFailed("The model gave no answer.")
        return first, pieces

    (first, pieces), replica_id, state, started = _first_that_answers(resolved, work, begin)
    return _follow(first, pieces, state, started), replica_id


def _first_that_answers(
    resolved: Resolved, work: Work, ask: Callable[[Engine, Work], T]
) -> tuple[T, str, health.Health, float]:
    """What the first replica that does not fail gave, its id, its health, and when it was asked.

    All tries together have the work's time. Raises DeadlinePassed, or the failure that tells the caller most.
    """
    ends = time.perf_counter() + work.timeout_s
    failures: list[_Failure] = []
    tried: list[str] = []
    while True:
        try:
            replica = _choose(replicas.of(resolved), tried)
        except (Overloaded, ModelNotReady) as error:
            raise _telling_most(failures) if failures else error from None
        if failures and isinstance(failures[-1], AtReplica):
            figures.missed(resolved, tried[-1])
        state = health.of(replica.id)
        state.begin()
        started = time.perf_counter()
        try:
            found = ask(pool.engine_of(replica), work)
        except (UpstreamFailed, Overloaded, ModelNotReady) as error:
            if isinstance(error, AtReplica):
                error.replica = replica.id
            if isinstance(error, AtReplica) and not isinstance(error, Unloadable):
                state.failed(started)
            else:  # our own queue is full, or the model not loaded: the place is well
                state.left()
            failures.append(error)
            tried.append(replica.id)
            left_s = ends - time.perf_counter()
            if left_s <= 0:
                late = DeadlinePassed("No place where this model runs answered in time.")
                late.replica = replica.id
                raise late from error
            if len(tried) >= min(MOST_TRIES, len(replicas.of(resolved))):
                raise _telling_most(failures) from None
            work = dataclasses.replace(work, timeout_s=left_s)
        except DeadlinePassed as error:
            error.replica = replica.id
            patient = time.perf_counter() - started >= PATIENT_S
            state.failed(started) if patient else state.left()
            raise
        except BaseException as error:
            state.left()
            if isinstance(error, Exception) and not isinstance(error, Problem):
                error.replica = replica.id  # type: ignore[attr-defined] # what nobody foresaw: the model's own fault
            raise
        else:
            return found, replica.id, state, started


def _telling_most(failures: list[_Failure]) -> _Failure:
    """Of several failures that of which the caller can make most: when a busy place has time again, else the first."""
    busy = [failure for failure in failures if isinstance(failure, Overloaded)]
    return min(busy, key=lambda failure: failure.retry_after_s or 0) if busy else failures[0]


def _follow(first: Piece, pieces: Iterator[Piece], state: health.Health, started: float) -> Iterator[Piece]:
    ended = False
    try:
        yield first
        yield from pieces
        ended = True
        state.succeeded((time.perf_counter() - started) * 1000)
    except UpstreamFailed:
        ended = True
        state.failed(started)
        raise
    finally:
        if not ended:
            state.left()
            close = getattr(pieces, "close", None)
            if close is not None:
                close()


def _choose(candidates: list[ReplicaSpec], tried: list[str]) -> ReplicaSpec:
    """Power of two choices (Mitzenmacher 2001) on outstanding requests weighted with latency.

    Ejected replicas are passed over while another is left; when all are, the one whose pause ends first is tried, so that
    a single replica is never refused by us.
    """
    fresh = [replica for replica in candidates if replica.id not in tried] or candidates
    if not fresh:
        raise ModelNotReady("All replicas of this model are being drained: try again shortly.", retry_after_s=2)
    room = [replica for replica in fresh if health.of(replica.id).outstanding < most_outstanding(replica)]
    if not room:
        raise Overloaded("All places where this model runs are full: try again shortly.", retry_after_s=1)
    fresh = room
    if len(fresh) == 1:
        return fresh[0]
    now = time.monotonic()
    well = [replica for replica in fresh if health.of(replica.id).ejected_until <= now]
    if not well:
        return min(fresh, key=lambda replica: health.of(replica.id).ejected_until)
    if len(well) == 1:
        return well[0]
    one, other = random.sample(well, 2)
    return one if health.of(one.id).is_lighter_than(health.of(other.id)) else other


def most_outstanding(replica: ReplicaSpec) -> int:
    """How many requests the replica may be given at once."""
    return int(replica.options.get("outstanding_max") or MOST_OUTSTANDING)
