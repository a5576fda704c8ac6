"""A stranger's model runs in a process of its own: it answers as it would in ours, and when it dies, ours does not."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.engines import registry as engines
from inference.engines.engine import Engine, ReplicaSpec, Work
from inference.engines.runner import parent
from inference.engines.runner.parent import Runner
from inference.errors import DeadlinePassed, Overloaded, UpstreamFailed
from marketplace.errors import InputInvalid, ModelNotReady, SourceInvalid
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec
from marketplace.training.signature import describe
from portal.kit.errors import Problem
from tests.fixtures.hostile import NEEDS_WALLS, export
from tests.fixtures.training import Trained

pytestmark = [pytest.mark.slow, NEEDS_WALLS]
TENSOR = registry.get("tensor")
X = np.asarray([[1, 2, 3], [4, 5, 6.5]], np.float32)


def made(folder: Path, spec: ModelSpec, engine: str = "runner", task: str = "tensor", **options: Any) -> Engine:
    """The engine, loaded."""
    replica = ReplicaSpec("r", engine, str(folder), "stranger/model", registry.get(task), spec, options)
    found = engines.make(replica)
    found.load()
    return found


@pytest.fixture(scope="module")
def shared(moody: Path) -> Iterator[Runner]:
    """The moody model, apart; whoever ends it lets the next start it again."""
    found = made(moody, describe(moody, TENSOR))
    assert isinstance(found, Runner)
    yield found
    found.unload()


def ask(engine: Engine, seconds: float = 0, mebibytes: float = 0, timeout_s: float = 60) -> list[float]:
    given = np.asarray([[seconds, mebibytes, 1]], np.float32)
    output = engine.infer(Work({"x": given}, raw=True, timeout_s=timeout_s)).output
    found: list[float] = output["y"][0].tolist()
    return found


def at_once(*asks: Callable[[], Any]) -> list[Any]:
    """What each got, an answer or a Problem."""
    found: list[Any] = [None] * len(asks)

    def one(at: int) -> None:
        try:
            found[at] = asks[at]()
        except Problem as problem:
            found[at] = problem

    threads = [threading.Thread(target=one, args=(at,)) for at in range(len(asks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def pid(runner: Runner) -> int:
    assert runner._process is not None
    return runner._process.pid


def test_it_is_described_apart_as_here(harmless: Path) -> None:
    assert parent.describe(harmless, TENSOR) == describe(harmless, TENSOR)


def test_what_must_not_be_in_it_is_refused_apart(tmp_path: Path) -> None:
    from inference.engines.tensorflow.library import tensorflow

    tf = tensorflow()
    evil = export(
        tmp_path / "evil", lambda x: x + tf.cast(tf.strings.length(tf.io.read_file("/etc/passwd")), tf.float32)
    )
    with pytest.raises(SourceInvalid, match="ReadFile"):
        parent.describe(evil, TENSOR)


def test_its_answers_are_those_that_it_would_give_here(harmless: Path) -> None:
    spec = describe(harmless, TENSOR)
    apart, here = made(harmless, spec), made(harmless, spec, "tensorflow")
    try:
        for work in (Work({"x": X}, raw=True), Work({"inputs": {"x": X.tolist()}})):
            one, other = apart.infer(work), here.infer(work)
            assert one.units == other.units
            if work.raw:
                np.testing.assert_array_equal(one.output["y"], other.output["y"])
            else:
                assert one.output == other.output
        with pytest.raises(InputInvalid):
            apart.infer(Work({"z": X}, raw=True))
        assert apart.alive()
        assert apart.memory_bytes > 50 << 20
    finally:
        apart.unload()
        here.unload()


def test_many_at_once_are_answered_each_its_own(shared: Runner) -> None:
    given = [np.full((1, 3), 0, np.float32) + np.asarray([0, 0, at], np.float32) for at in range(40)]
    asks = [lambda x=x: shared.infer(Work({"x": x}, raw=True)).output["y"][0, 2] for x in given]
    assert at_once(*asks) == [2.0 * at for at in range(40)]


def test_who_kills_it_at_work_costs_its_callers_an_answer_and_nobody_else(shared: Runner) -> None:
    ask(shared)
    killed = pid(shared)
    threading.Timer(0.5, os.kill, (killed, signal.SIGKILL)).start()
    failures = at_once(*[lambda: ask(shared, 30)] * 3)
    for failure in failures:
        assert isinstance(failure, UpstreamFailed)
        assert failure.status == 502
        assert "crashed" in failure.message
    shared._rests_until = 0
    assert ask(shared) == [0, 0, 2]
    assert pid(shared) != killed
    with pytest.raises(ProcessLookupError):
        os.kill(killed, 0)


def test_a_loop_without_end_is_ended_at_its_callers_deadline(shared: Runner) -> None:
    shared._rests_until = 0
    ask(shared)
    endless, began = pid(shared), time.monotonic()
    with pytest.raises(DeadlinePassed) as late:
        ask(shared, 3600, timeout_s=1)
    assert late.value.status == 504
    assert time.monotonic() - began < 8
    with pytest.raises(ProcessLookupError):
        os.kill(endless, 0)
    shared._rests_until = 0
    assert ask(shared) == [0, 0, 2]


def test_what_takes_all_memory_gets_none(shared: Runner) -> None:
    shared._rests_until = 0
    ask(shared)
    with pytest.raises(UpstreamFailed):
        ask(shared, 0, 8_000)
    shared._rests_until = 0
    assert ask(shared) == [0, 0, 2]


def test_one_that_crashes_again_and_again_rests(shared: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "STEADY_S", 3600.0)  # of a machine so slow that its process is not young any more
    shared._rests_until = 0
    ask(shared)
    shared._crashes = 5
    os.kill(pid(shared), signal.SIGKILL)
    with pytest.raises(UpstreamFailed):
        ask(shared)
    assert not shared.alive()
    with pytest.raises(ModelNotReady, match="crashed 6 times in a row") as resting:
        ask(shared)
    assert resting.value.status == 503
    assert 10 < (resting.value.retry_after_s or 0) <= 16
    shared._rests_until = shared._crashes = 0


def test_a_line_has_its_length_and_its_deadline(moody: Path) -> None:
    engine = made(moody, describe(moody, TENSOR), queue_max=2)
    try:
        found = at_once(*[lambda: ask(engine, 1.5, timeout_s=10)] * 40)
        assert sum(isinstance(one, Overloaded) for one in found) >= 1
        assert sum(isinstance(one, list) for one in found) >= 1
    finally:
        engine.unload()


def test_a_process_that_answers_nonsense_is_no_danger(shared: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work({"x": X}, raw=True)
    for told, arrays in (
        ({"units": {}}, {}),
        ({"units": {}}, {"y": X.astype(object)}),
        ({"units": {}}, {"y": X[:, :2]}),
        ({"units": {}}, {"evil": X}),
    ):
        monkeypatch.setattr(parent.Process, "ask", lambda *_, told=told, arrays=arrays: (told, arrays))
        with pytest.raises(UpstreamFailed, match="no answer of its kind"):
            shared.infer(work)
    given = Work({"inputs": {"x": X.tolist()}})
    for output in (None, [], {"outputs": {}}, {"outputs": {"y": 1}}):
        monkeypatch.setattr(parent.Process, "ask", lambda *_, output=output: ({"units": {}, "output": output}, {}))
        with pytest.raises(UpstreamFailed, match="no answer of its kind"):
            shared.infer(given)


def test_it_cannot_bill_more_than_the_request_can_have(moody: Path) -> None:
    runner = Runner(
        ReplicaSpec("r", "runner", str(moody), "a/b", registry.get("chat"), ModelSpec(max_output_tokens=50))
    )
    given = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 7}
    units = runner._units(Work(given), {"input_token": 10**12, "output_token": 10**9, "row": 10**9, "request": 500})
    assert units["request"] == 1
    assert units["output_token"] == 7
    assert units["input_token"] < 1200
    assert "row" not in units


def test_text_streams_from_it_as_it_would_here(trained_starter: Callable[[str], Trained]) -> None:
    folder = trained_starter("prose").folder
    spec = ModelSpec.from_json(trained_starter("prose").outcome["spec"])
    apart, here = (made(folder, spec, engine, "text-generation") for engine in ("runner", "tensorflow"))
    try:
        work = Work({"prompt": "The ", "max_tokens": 30, "temperature": 0})
        assert list(apart.stream(work)) == list(here.stream(work))
        assert apart.infer(work) == here.infer(work)
        left = apart.stream(Work({"prompt": "The ", "max_tokens": 10_000, "temperature": 0}))
        next(left)
        left.close()  # type: ignore[attr-defined] # a generator
        assert apart.infer(work) == here.infer(work)
    finally:
        apart.unload()
        here.unload()


def test_a_model_that_is_not_there_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(ModelNotReady):
        made(tmp_path, ModelSpec())


def test_every_kind_of_folder_runs_apart(
    keras_file: Path, writer_folder: Path, letters_folder: Path, reader_folder: Path
) -> None:
    """Keras files, language models and encoders, in KerasHub's layout and in Hugging Face's."""
    said = {"prompt": "ab", "max_tokens": 5, "temperature": 0}
    for folder, task, given in (
        (keras_file, "tensor", None),
        (writer_folder, "text-generation", said),
        (letters_folder, "text-generation", said),
        (reader_folder, "embeddings", {"texts": ["a b", "b"]}),
    ):
        spec = ModelSpec() if folder == letters_folder else parent.describe(folder, registry.get(task))
        apart, here = (made(folder, spec, engine, task) for engine in ("runner", "tensorflow"))
        try:
            if given is None:
                work = Work({spec.inputs[0].name: X}, raw=True)
                name = spec.outputs[0].name
                np.testing.assert_array_equal(apart.infer(work).output[name], here.infer(work).output[name])
            else:
                assert apart.infer(Work(given)) == here.infer(Work(given)), folder
        finally:
            apart.unload()
            here.unload()
