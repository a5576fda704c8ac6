"""Lines before a SavedModel: bounded, with a deadline, and joined by rows. The model runs as long as its input says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.engines.engine import Engine, ReplicaSpec, Work
from inference.engines.tensorflow.engine import engine_of
from inference.errors import DeadlinePassed, Overloaded
from marketplace.tasks import registry
from marketplace.training.signature import describe
from portal.kit.errors import Problem
from tests.fixtures.serving import Installation


@pytest.fixture(scope="module")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel that works for the most of its rows' seconds, and says how many rows it was given at once and ever."""
    from inference.engines.tensorflow.library import tensorflow

    tf = tensorflow()

    class Slow(tf.Module):  # type: ignore[misc] # no types
        def __init__(self) -> None:
            super().__init__()
            self.rows = tf.Variable(0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "seconds")])  # type: ignore[untyped-decorator] # as above
        def __call__(self, seconds: Any) -> Any:
            ends = tf.timestamp() + tf.cast(tf.reduce_max(seconds), tf.float64)
            tf.while_loop(lambda _: tf.timestamp() < ends, lambda turns: turns + 1, [0])
            ever = self.rows.assign_add(tf.size(seconds))
            return {"at_once": tf.fill(tf.shape(seconds), tf.size(seconds)), "ever": tf.fill(tf.shape(seconds), ever)}

    model, folder = Slow(), tmp_path_factory.mktemp("models") / "slow"
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.__call__})
    return folder


def engine(place: Path, **options: Any) -> Engine:
    task = registry.get("tensor")
    made = engine_of(ReplicaSpec("r", "tensorflow", str(place), "a/b", task, describe(place, task), options))
    made.load()
    return made


def run(slow: Engine, seconds: float, rows: int = 1, timeout_s: float = 30) -> dict[str, int]:
    """What the model says of the call."""
    outputs = slow.infer(Work({"seconds": np.full(rows, seconds, np.float32)}, raw=True, timeout_s=timeout_s)).output
    assert all(len(array) == rows for array in outputs.values())
    return {name: int(array[0]) for name, array in outputs.items()}


def at_once(count: int, ask: Callable[[int], Any], after_s: float = 0) -> list[tuple[Any, float]]:
    """What each of so many callers got, an answer or a Problem, and after how many seconds.

    With `after_s` the first goes so much ahead: the others find it at work.
    """
    found: list[tuple[Any, float]] = []
    together = threading.Barrier(count)

    def one(number: int) -> None:
        together.wait()
        if number:
            time.sleep(after_s)
        started = time.perf_counter()
        try:
            got = ask(number)
        except Problem as problem:
            got = problem
        found.append((got, time.perf_counter() - started))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_who_finds_the_line_full_is_refused_at_once(slow_model: Path) -> None:
    slow = engine(slow_model, queue_max=2)
    found = at_once(8, lambda _: run(slow, 1.2), after_s=0.4)
    refused = [took for got, took in found if isinstance(got, Overloaded)]
    assert len(refused) == 5, "one is at work and two wait"
    assert max(refused) < 0.05
    slow.unload()


def test_whose_time_runs_out_in_line_is_told_and_not_run(slow_model: Path) -> None:
    slow = engine(slow_model)
    before = run(slow, 0)["ever"]
    found = at_once(4, lambda _: run(slow, 1.2, timeout_s=0.2), after_s=0.4)
    late = [took for got, took in found if isinstance(got, DeadlinePassed)]
    assert len(late) == 3
    assert max(late) < 0.5, "told at its deadline, not when its turn would have come"
    assert run(slow, 0)["ever"] == before + 2
    slow.unload()


def test_who_comes_with_the_leader_shares_its_turn_and_the_bound_holds(slow_model: Path) -> None:
    slow = engine(slow_model, queue_max=2)
    found = at_once(8, lambda _: run(slow, 0.6))
    served = [got["at_once"] for got, _ in found if isinstance(got, dict)]
    assert 3 <= len(served) <= 5, "the leader, who joined it, and two who wait for them"
    assert max(served) <= 3
    slow.unload()


def test_requests_are_joined_by_their_rows(slow_model: Path) -> None:
    slow = engine(slow_model)
    small = [got["at_once"] for got, _ in at_once(16, lambda _: run(slow, 0.05, rows=10))]
    assert 10 < max(small) <= 64
    assert {got["at_once"] for got, _ in at_once(6, lambda _: run(slow, 0.05, rows=40))} == {40}
    mixed = at_once(6, lambda number: run(slow, 0.05, rows=1 if number else 1000))
    assert 1000 in {got["at_once"] for got, _ in mixed}, "more rows than are joined run alone"
    slow.unload()


def test_callers_see_503_and_504(installation: Installation, slow_model: Path) -> None:
    installation.manage(
        "add_model", "bench/slow", "--task", "tensor", "--engine", "tensorflow", "--source", str(slow_model),
        "--queue-max", "1", "--deadline", "0.3",
    )  # fmt: skip

    def ask(seconds: float) -> str:
        body = {"inputs": [{"name": "seconds", "shape": [1], "datatype": "FP32", "data": [seconds]}]}
        status, answer, _ = installation.call("/v2/models/bench/slow/infer", body)
        return f"{status} {answer.get('error', '')}"

    assert ask(0).startswith("200")
    found = sorted(got for got, _ in at_once(5, lambda _: ask(1.5), after_s=0.5))
    assert [got[:3] for got in found] == ["200", "503", "503", "503", "504"], found
    assert "too many requests waiting" in found[1]
    assert "in time" in found[4]


@pytest.mark.parametrize("shape", [[1, 3], [None, 3]])
def test_a_model_for_so_many_rows_only_is_not_given_more(tmp_path: Path, shape: list[int | None]) -> None:
    from inference.engines.tensorflow.library import tensorflow

    tf = tensorflow()
    model = tf.Module()
    model.call = tf.function(
        lambda x: {"sum": tf.reduce_sum(x, 1)}, input_signature=[tf.TensorSpec(shape, tf.float32, "x")]
    )
    tf.saved_model.save(model, str(tmp_path / "m"), signatures={"serving_default": model.call})
    made = engine(tmp_path / "m")
    ask = lambda n: made.infer(Work({"x": np.full((1, 3), n, np.float32)}, raw=True)).output["sum"].tolist()  # noqa: E731
    assert sorted(got for got, _ in at_once(12, ask)) == [[3.0 * number] for number in range(12)]
    made.unload()
