"""A version on trial: run as it will be served, by the engine for what strangers made, and measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from inference.engines.engine import ReplicaSpec, Result, Work
from inference.engines.runner.parent import Runner
from inference.errors import DeadlinePassed
from marketplace.errors import InputInvalid
from marketplace.tasks.schema import Check
from marketplace.tasks.task import ModelSpec, Task

ANSWER_S = 60.0  # that an answer may take
ALL_S = 600.0  # that all examples may take
ROUNDS, AT_ONCE = 20, 8  # requests one after the other; requests at once, in as many rounds
MEASURED_S = 8.0  # after so long there are no more of them


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds that half and 95 % of the answers took, and the seconds of a core that each needed."""

    p50: float
    p95: float
    many50: float
    many95: float
    computed_s: float


class Stage:
    """With it, the model is loaded; without it, gone. Raises Problems as Runner does."""

    def __init__(self, slug: str, folder: Path, task: Task, spec: ModelSpec) -> None:
        self._task, self._spec = task, spec
        self._fits = Check(task.codec.input_schema(spec))
        self._runner = Runner(ReplicaSpec(slug, "runner", str(folder), slug, task, spec))

    def __enter__(self) -> Stage:
        try:
            self._runner.load()
        except BaseException:
            self._runner.unload()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._runner.unload()

    at_once = AT_ONCE

    def check(self, given: Any) -> None:
        """Raises InputInvalid for an input that the task does not take."""
        self._fits(given)

    def ask(self, given: Any) -> Result:
        """The answer, which has the task's form. Raises Problems."""
        return self._runner.infer(Work(given, timeout_s=ANSWER_S))

    def answers(self, inputs: Sequence[Any]) -> list[Any]:
        """An output for each input; None for one that is refused as input. Raises other Problems, the first that comes."""
        ends = time.monotonic() + ALL_S
        with ThreadPoolExecutor(AT_ONCE) as threads:
            asked = [threads.submit(self._answer, given, ends) for given in inputs]
            try:
                return [one.result() for one in asked]
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def measure(self, given: Any) -> Measured:
        """How long it takes, after it was asked once to warm up. Raises Problems."""
        self.ask(given)
        before = self._runner.used()[1]
        alone = self._timed(given, ROUNDS)
        # The kernel counts in hundredths: of quick answers the time itself says more.
        computed_s = max((self._runner.used()[1] - before) / len(alone), float(np.median(alone)) / 1000)
        with ThreadPoolExecutor(AT_ONCE) as threads:
            rounds = list(threads.map(lambda _: self._timed(given, ROUNDS // 4), range(AT_ONCE)))
        many = [one for took in rounds for one in took]
        return Measured(*_spread(alone), *_spread(many), computed_s)

    @property
    def peak_bytes(self) -> int:
        """The most memory that its process has held."""
        return self._runner.used()[0]

    def _answer(self, given: Any, ends: float) -> Any:
        if time.monotonic() > ends:
            raise DeadlinePassed(f"Not all examples were answered within {ALL_S:.0f} seconds.")
        try:
            self.check(given)
            return self.ask(given).output
        except InputInvalid:
            return None

    def _timed(self, given: Any, times: int) -> list[float]:
        """Milliseconds that each of so many requests took, one after the other; at least one."""
        took: list[float] = []
        ends = time.monotonic() + MEASURED_S
        while not took or (len(took) < times and time.monotonic() < ends):
            began = time.perf_counter()
            self.ask(given)
            took.append(1000 * (time.perf_counter() - began))
        return took


def _spread(took: list[float]) -> tuple[float, float]:
    p50, p95 = np.percentile(took, [50, 95])
    return float(p50), float(p95)
