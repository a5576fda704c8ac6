"""Chooses a replica, and another when the first cannot answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from inference.engines.engine import Engine, Piece, ReplicaSpec, Result, Work
from inference.errors import Overloaded, UpstreamFailed
from inference.routing import health, pool, replicas
from marketplace.catalog.resolve import Resolved
from marketplace.errors import ModelNotReady

MOST_TRIES = 3
MOST_OUTSTANDING = 512  # requests at one replica, unless its version's options say otherwise
T = TypeVar("T")


def infer(resolved: Resolved, work: Work) -> tuple[Result, str]:
    """The answer and the replica that gave it. Tries others on connection errors, 429 and 5xx."""
    result, replica_id, state, started = _first_that_answers(resolved, lambda engine: engine.infer(work))
    state.succeeded((time.perf_counter() - started) * 1000)
    return result, replica_id


def stream(resolved: Resolved, work: Work) -> tuple[Iterator[Piece], str]:
    """The pieces and the replica that gives them. Tries others before the first piece, never after."""

    def begin(engine: Engine) -> tuple[Piece, Iterator[Piece]]:
        pieces = iter(engine.stream(work))
        return next(pieces), pieces

    (first, pieces), replica_id, state, started = _first_that_answers(resolved, begin)
    return _follow(first, pieces, state, started), replica_id


def _first_that_answers(resolved: Resolved, ask: Callable[[Engine], T]) -> tuple[T, str, health.Health, float]:
    """What the first replica that does not fail gave, its id, its health, and when it was asked."""
    tried: list[str] = []
    while True:
        replica = _choose(replicas.of(resolved), tried)
        state = health.of(replica.id)
        state.begin()
        started = time.perf_counter()
        try:
            return ask(pool.engine_of(replica)), replica.id, state, started
        except (UpstreamFailed, Overloaded):
            state.failed()
            tried.append(replica.id)
            if len(tried) >= min(MOST_TRIES, len(replicas.of(resolved))):
                raise
        except BaseException:
            state.left()
            raise


def _follow(first: Piece, pieces: Iterator[Piece], state: health.Health, started: float) -> Iterator[Piece]:
    ended = False
    try:
        yield first
        yield from pieces
        ended = True
        state.succeeded((time.perf_counter() - started) * 1000)
    except UpstreamFailed:
        ended = True
        state.failed()
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
    pair = random.sample(well, min(2, len(well)))
    return min(pair, key=lambda replica: health.of(replica.id).load())


def most_outstanding(replica: ReplicaSpec) -> int:
    """How many requests the replica may be given at once."""
    return int(replica.options.get("outstanding_max") or MOST_OUTSTANDING)
