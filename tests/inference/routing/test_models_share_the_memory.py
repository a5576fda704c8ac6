"""Models of one process within its budget: loaded when first used, the least recently used leaves, none that is at work."""

from __future__ import annotations

import random
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.engines.engine import Engine, ReplicaSpec, Work
from inference.routing import health, pool
from marketplace.tasks import registry
from marketplace.training.artifact import weight_bytes
from marketplace.training.signature import describe

X = np.asarray([[1.0, 2.0, 3.0]], np.float32)


def use(replica: ReplicaSpec, ask: Callable[[Engine], Any]) -> Any:
    """As the router does."""
    state = health.of(replica.id)
    state.begin()
    try:
        return ask(pool.engine_of(replica))
    finally:
        state.left()


def doubled(engine: Engine) -> list[float]:
    found: list[float] = engine.infer(Work({"x": X}, raw=True)).output["doubled"][0].tolist()
    return found


@pytest.fixture
def models(saved_model: Path, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[ReplicaSpec]:
    """Four SavedModels of the same size, and room for two."""
    monkeypatch.setattr(pool, "_engines", {})  # what earlier tests loaded
    task = registry.get("tensor")
    spec = describe(saved_model, task)
    found = []
    for name in ("ada", "bob", "cyd", "dan"):
        folder = shutil.copytree(saved_model, tmp_path / name)
        found.append(ReplicaSpec(str(folder), "tensorflow", str(folder), f"a/{name}", task, spec))
    settings.MODEL_MEMORY_BYTES = 2 * weight_bytes(saved_model)
    return found


def loaded(models: list[ReplicaSpec]) -> list[str]:
    return [Path(replica.target).name for replica in models if pool.is_loaded(replica.id)]


def test_the_least_recently_used_leaves_and_answers_again_when_asked(models: list[ReplicaSpec]) -> None:
    ada, bob, cyd, _ = models
    assert loaded(models) == []
    use(ada, doubled)
    use(bob, doubled)
    assert loaded(models) == ["ada", "bob"]
    use(ada, doubled)
    use(cyd, doubled)
    assert loaded(models) == ["ada", "cyd"]
    assert use(bob, doubled) == [2.0, 4.0, 6.0]
    assert loaded(models) == ["bob", "cyd"]


def test_what_is_at_work_stays(models: list[ReplicaSpec]) -> None:
    ada, bob, cyd, dan = models
    use(bob, doubled)

    def meanwhile(engine: Engine) -> list[float]:
        for other in (bob, cyd, dan):
            use(other, doubled)
        return doubled(engine)

    assert use(ada, meanwhile) == [2.0, 4.0, 6.0]
    assert loaded(models) == ["ada", "dan"]


def test_who_comes_in_the_moment_of_unloading_is_answered(
    models: list[ReplicaSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, cyd, _ = models
    answers: list[Any] = []
    unloaded = threading.Event()

    def comes() -> None:
        def asks(engine: Engine) -> list[float]:
            unloaded.wait(5)
            return doubled(engine)

        answers.append(use(ada, asks))

    guest = threading.Thread(target=comes)

    class Watched(health.Health):
        """Right after the pool has seen that nobody uses the model, somebody begins."""

        @property
        def outstanding(self) -> int:
            count = self.__dict__.get("count", 0)
            if not count and pool.is_loaded(cyd.id) and not guest.ident:
                guest.start()
                guest.join(0.2)
            return int(count)

        @outstanding.setter
        def outstanding(self, count: int) -> None:
            self.__dict__["count"] = count

    monkeypatch.setitem(health._healths, ada.id, Watched())
    use(ada, doubled)
    use(bob, lambda _: use(cyd, doubled))
    assert guest.ident, "ada was to leave"
    unloaded.set()
    guest.join()
    assert answers == [[2.0, 4.0, 6.0]]


@pytest.mark.slow
def test_no_request_fails_while_models_come_and_go(models: list[ReplicaSpec], settings: Any) -> None:
    settings.MODEL_MEMORY_BYTES = 1
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads meet at every line
    failures: list[BaseException] = []

    def ask(seed: int) -> None:
        dice = random.Random(seed)
        try:
            for _ in range(50):
                assert use(dice.choice(models), doubled) == [2.0, 4.0, 6.0]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert not failures, failures[0]
