"""What the router makes of what engines do: whom it asks next, whom it blames, what the caller hears."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from inference.engines.engine import Piece, ReplicaSpec, Result, Work
from inference.errors import DeadlinePassed, Overloaded, UpstreamBusy, UpstreamFailed, UpstreamRefused
from inference.routing import figures, health, pool, probing, replicas, router
from marketplace.errors import ModelNotReady
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec
from portal.kit.errors import Problem

RESOLVED: Any = SimpleNamespace(slug="a/b", version_id="v")
FINE = Result({"text": "fine"}, {"request": 1})


class Scripted:
    """An engine that does what it is told, and keeps the time it was given."""

    memory_bytes = 0

    def __init__(self, does: Callable[[Work], Result]) -> None:
        self._does = does
        self.asked: list[float] = []
        self.well = True

    def load(self) -> None:
        """Nothing."""

    def unload(self) -> None:
        """Nothing."""

    def alive(self) -> bool:
        return self.well

    def infer(self, work: Work) -> Result:
        self.asked.append(work.timeout_s)
        return self._does(work)

    def stream(self, work: Work) -> Iterator[Piece]:
        self.asked.append(work.timeout_s)
        result = self._does(work)
        if result.output:
            yield Piece("fine", {"output_token": 1}, finish="stop")


def fails(error: Problem, after_s: float = 0.0) -> Callable[[Work], Result]:
    def does(work: Work) -> Result:
        time.sleep(after_s)
        raise error

    return does


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Scripted]]:
    """Puts the model at places of these engines, which are asked in this order."""

    def put(**does: Callable[[Work], Result]) -> dict[str, Scripted]:
        engines = {name: Scripted(way) for name, way in does.items()}
        task = registry.get("chat")
        specs = [ReplicaSpec(name, "openai", "", "a/b", task, ModelSpec(), {"outstanding_max": 2}) for name in engines]
        pool._engines.update(engines)
        monkeypatch.setattr(replicas, "of", lambda resolved: specs)
        monkeypatch.setattr(router.random, "sample", lambda well, count: well[:count])
        for rank, name in enumerate(engines):
            health.of(name).latency_ms = rank + 1.0
        return engines

    monkeypatch.setattr(figures, "missed", lambda resolved, replica: None)
    return put


def gives(result: Result) -> Callable[[Work], Result]:
    return lambda work: result


def test_an_engine_that_ends_without_a_piece_failed(at: Any) -> None:
    at(one=gives(Result(None, {})), two=gives(FINE))
    pieces, replica = router.stream(RESOLVED, Work({}))
    assert ([piece.text for piece in pieces], replica) == (["fine"], "two")
    assert (health.of("one").failures, health.of("one").outstanding) == (1, 0)
    at(only=gives(Result(None, {})))
    with pytest.raises(UpstreamFailed):
        router.stream(RESOLVED, Work({}))


def test_all_tries_together_have_the_time_of_one(at: Any) -> None:
    engines = at(one=fails(UpstreamFailed("gone"), 0.2), two=gives(FINE))
    assert router.infer(RESOLVED, Work({}, timeout_s=5))[1] == "two"
    assert engines["two"].asked[0] == pytest.approx(4.8, abs=0.15)
    engines = at(one=fails(UpstreamFailed("gone"), 0.2), two=gives(FINE))
    with pytest.raises(DeadlinePassed) as late:
        router.infer(RESOLVED, Work({}, timeout_s=0.1))
    assert (late.value.replica, engines["two"].asked) == ("one", [])


@pytest.mark.parametrize(
    ("error", "elsewhere", "failures"),
    [
        (UpstreamFailed("gone"), True, 1),
        (UpstreamBusy("busy", retry_after_s=3), True, 1),
        (Overloaded("our own queue is full"), True, 0),
        (ModelNotReady("it cannot be loaded"), True, 0),
        (UpstreamRefused("your mistake"), False, 0),
        (DeadlinePassed("your haste"), False, 0),
    ],
)
def test_who_is_asked_next_and_who_is_blamed(at: Any, error: Problem, elsewhere: bool, failures: int) -> None:
    engines = at(one=fails(error), two=gives(FINE))
    if elsewhere:
        assert router.infer(RESOLVED, Work({}))[1] == "two"
    else:
        with pytest.raises(type(error)):
            router.infer(RESOLVED, Work({}))
        assert engines["two"].asked == []
    assert (health.of("one").failures, health.of("one").outstanding) == (failures, 0)


def test_when_all_fail_the_caller_hears_when_to_come_back_else_what_was_first(at: Any) -> None:
    at(
        one=fails(UpstreamFailed("first")),
        two=fails(UpstreamBusy("busy", retry_after_s=9)),
        three=fails(Overloaded("x", retry_after_s=4)),
    )
    with pytest.raises(Overloaded) as told:
        router.infer(RESOLVED, Work({}))
    assert told.value.retry_after_s == 4
    at(one=fails(UpstreamFailed("first")), two=fails(UpstreamFailed("second")))
    with pytest.raises(UpstreamFailed, match="first"):
        router.infer(RESOLVED, Work({}))
    at(one=fails(UpstreamFailed("first")), two=gives(FINE))
    for _ in range(2):
        health.of("two").begin()
    with pytest.raises(UpstreamFailed, match="first"):  # and not that the other is full
        router.infer(RESOLVED, Work({}))


def test_many_requests_that_one_outage_fails_eject_once() -> None:
    state = health.Health()
    sent_at = time.perf_counter()
    for _ in range(50):
        state.begin()
    for _ in range(50):
        state.failed(sent_at)
    assert state.ejected()
    assert state.ejected_until - time.monotonic() <= health.EJECT_FOR_S[0]


def test_a_place_that_has_not_answered_yet_is_not_taken_for_the_fastest() -> None:
    new, known = health.Health(outstanding=3), health.Health(outstanding=2, latency_ms=500)
    assert known.is_lighter_than(new)
    assert not new.is_lighter_than(known)
    new.succeeded(10)
    assert new.is_lighter_than(known)


def test_one_that_does_not_answer_probes_holds_no_other_up(at: Any) -> None:
    engines = at(one=gives(FINE), two=gives(FINE))
    engines["one"].alive = lambda: bool(time.sleep(0.5))  # type: ignore[method-assign]
    engines["two"].alive = lambda: bool(time.sleep(0.5)) or True  # type: ignore[method-assign]
    for name in engines:
        health.of(name).ejected_until = time.monotonic() + 60
    started = time.monotonic()
    probing.probe_once(started)
    assert time.monotonic() - started < 0.9
    assert [health.of(name).ejected() for name in ("one", "two")] == [True, False]
    assert [health.of(name).outstanding for name in ("one", "two")] == [0, 0]
