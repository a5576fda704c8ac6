"""The engine for what strangers made: each replica in a process of its own, behind walls.

The process is not trusted. What it says is bounded and checked as an upstream's answer would be; of the units that are
billed it tells tokens alone, and never more than the request can have. When it dies, or is silent past a request's time, it
is ended and its requests fail; the next one starts it again, after a pause that grows while that goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from inference.engines import tensors
from inference.engines.engine import Piece, ReplicaSpec, Result, Work
from inference.engines.runner.process import Gone, Process, Refused, Silent
from inference.errors import ContextTooLong, DeadlinePassed, Overloaded, UpstreamFailed, WrongProtocol
from marketplace.errors import InputInvalid, ModelNotReady, SourceInvalid
from marketplace.tasks import registry
from marketplace.tasks.schema import Check
from marketplace.tasks.task import ModelSpec, Task
from portal.kit.errors import Problem

START_S = 180.0  # until a process is ready
LONGEST_PAUSE_S = 60.0
STEADY_S = 60.0  # a process that lived so long does not count with the crashes before it
TEMPLATE_TOKENS = 1024  # that a chat's template may add to what the caller wrote
_PROBLEMS: tuple[type[Problem], ...] = (
    InputInvalid, WrongProtocol, ContextTooLong, Overloaded, DeadlinePassed, ModelNotReady, SourceInvalid,
)  # fmt: skip
_KNOWN = {kind.code: kind for kind in _PROBLEMS}


def describe(folder: Path, task: Task) -> ModelSpec:
    """What a stranger's model takes and gives; see `examine`."""
    return examine(folder, task)[1]


def examine(folder: Path, task: Task) -> tuple[str, ModelSpec]:
    """What kind of model it is, and what it takes and gives; it is inspected and loaded behind the walls alone.

    Raises SourceInvalid for what must not be in it or is no such model (`inspected` in its details says whether it was
    found harmless before; without that, it was not heard of again), ModelNotReady where there are no walls.
    """
    process = Process(folder)
    try:
        told = process.begin({"do": "describe", "task": task.name}, START_S)
        return str(told["kind"])[:40], ModelSpec.from_json(told["spec"])
    except Refused as refused:
        problem = _problem(folder.name, refused, SourceInvalid)
        problem.details["inspected"] = refused.inspected
        raise problem from None
    except (Gone, Silent, KeyError, TypeError, ValueError):
        raise SourceInvalid(
            f"{folder.name} ended the process that loaded it: it takes too much memory or time, or crashes TensorFlow.",
            param="source",
        ) from None
    finally:
        process.end()


class Runner:
    """See engine.Engine."""

    def __init__(self, replica: ReplicaSpec) -> None:
        self._replica = replica
        form = registry.get("text-generation") if replica.task.streams else replica.task
        self._check = Check(form.codec.output_schema(replica.spec))
        self._starting = threading.Lock()
        self._process: Process | None = None
        self._counting = threading.Lock()
        self._counted: Process | None = None
        self._crashes, self._rests_until = 0, 0.0
        self._unloaded = False
        self.memory_bytes = 0

    def load(self) -> None:
        """Starts the process. Raises ModelNotReady."""
        self._unloaded = False
        self._started(time.monotonic() + START_S)

    def unload(self) -> None:
        """See engine.Engine."""
        self._unloaded = True
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def used(self) -> tuple[int, float]:
        """The most memory that its process has held so far, and the seconds that it has computed; (0, 0.0) without one."""
        process = self._process
        return (process.peak_bytes, process.computed_s) if process is not None else (0, 0.0)

    def alive(self) -> bool:
        """Whether the process is there, or may be started again."""
        process = self._process
        return process.runs if process is not None else time.monotonic() >= self._rests_until

    def infer(self, work: Work) -> Result:
        """See engine.Engine."""
        ends = time.monotonic() + work.timeout_s
        process = self._started(ends)
        try:
            told, arrays = process.ask(
                {"do": "infer", "given": None if work.raw else work.given},
                work.given if work.raw else {}, ends, self._replica.queue_max,
            )  # fmt: skip
        except Exception as error:
            raise self._failure(process, error) from error
        try:
            output = tensors.fitted(self._replica.spec, arrays) if work.raw else self._checked(told["output"])
            return Result(output, self._units(work, told["units"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UpstreamFailed(f"{self._replica.model} gave no answer of its kind: {str(error)[:200]}.") from error

    def stream(self, work: Work) -> Iterator[Piece]:
        """See engine.Engine."""
        if work.raw:
            raise WrongProtocol(f"{self._replica.model} does not stream tensors: ask for the whole answer.")
        ends = time.monotonic() + work.timeout_s
        process = self._started(ends)
        said = process.follow({"do": "stream", "given": work.given}, ends, self._replica.queue_max)
        try:
            for told in said:
                text, units, finish, stop = told["piece"]
                if (
                    not isinstance(text, str)
                    or finish not in (None, "stop", "length")
                    or not isinstance(stop, str | None)
                ):
                    raise UpstreamFailed(f"{self._replica.model} gave no answer of its kind.")
                yield Piece(text, self._units(work, units), finish=finish, stop=stop)
        except Exception as error:
            raise self._failure(process, error) from error
        finally:
            try:
                said.close()
            except (Gone, Silent):  # it does not stop when it is told to
                self._crashed(process)

    def _started(self, ends: float) -> Process:
        """The process, started if there is none. Raises ModelNotReady, DeadlinePassed."""
        process = self._process
        if process is not None and not process.ended:
            return process
        if not self._starting.acquire(timeout=max(ends - time.monotonic(), 0.0)):
            raise DeadlinePassed(f"{self._replica.model} is being started.", retry_after_s=5)
        try:
            process = self._process
            if process is None or process.ended:
                process = self._process = self._start()
            return process
        finally:
            self._starting.release()

    def _start(self) -> Process:
        replica = self._replica
        left_s = self._rests_until - time.monotonic()
        if self._unloaded:
            raise ModelNotReady(f"{replica.model} was unloaded: try again.", retry_after_s=1)
        if left_s > 0:
            raise ModelNotReady(
                f"{replica.model} has crashed {self._crashes} times in a row: it rests.", retry_after_s=left_s
            )
        try:
            process = Process(Path(replica.target))
        except OSError as error:
            raise ModelNotReady(f"{replica.model} cannot be started: {error.strerror}.") from error
        try:
            process.begin(
                {
                    "do": "serve", "task": replica.task.name, "model": replica.model, "spec": replica.spec.to_json(),
                    "options": dict(replica.options),
                },
                START_S,
            )  # fmt: skip
        except Refused as refused:
            process.end()
            raise _problem(replica.model, refused, ModelNotReady) from None
        except (Gone, Silent):
            self._crashed(process)
            raise ModelNotReady(
                f"{replica.model} ended its process while it was loaded: it takes too much memory or time, or crashes."
            ) from None
        self.memory_bytes = process.memory_bytes
        return process

    def _crashed(self, process: Process) -> None:
        """Ends the process, and says when the next may be started. A process is counted once."""
        process.end()
        with self._counting:
            if self._counted is process:
                return
            self._counted, now = process, time.monotonic()
            self._crashes = self._crashes + 1 if now - process.born < STEADY_S else 1
            # The first is started again at once.
            self._rests_until = now + min(2.0 ** (self._crashes - 2), LONGEST_PAUSE_S) if self._crashes > 1 else now

    def _failure(self, process: Process, error: Exception) -> Exception:
        """What the caller is told."""
        model = self._replica.model
        match error:
            case Refused():
                return _problem(model, error, UpstreamFailed)
            case Gone():
                self._crashed(process)
                return UpstreamFailed(
                    f"{model} stopped while it worked: it crashed, or took more memory than it may. It is started again."
                )
            case Silent():
                self._crashed(process)
                return DeadlinePassed(f"{model} did not answer in time, and was ended. It is started again.")
            case ValueError() | KeyError():
                return InputInvalid(f"The input cannot be given to {model}: {str(error)[:200]}.")
            case _:
                return error

    def _checked(self, output: Any) -> Any:
        """Raises ValueError for an output that is not of the task's kind."""
        try:
            self._check(output, root="")
        except InputInvalid as error:
            raise ValueError(f"{error.param}: {error.message}") from error
        return output

    def _units(self, work: Work, told: Mapping[str, Any]) -> dict[str, int]:
        """What is billed: as the task counts, and tokens as the process says, at most those that there can be."""
        task = self._replica.task
        if work.raw:
            return {"request": 1, task.row_unit: len(next(iter(work.given.values())))}
        units = {"request": 1, **task.codec.units(work.given)}
        asked = work.given.get("max_completion_tokens") or work.given.get("max_tokens")
        # A token is at least one byte.
        most = {
            "input_token": len(orjson.dumps(work.given)) + TEMPLATE_TOKENS,
            "output_token": asked or self._replica.spec.max_output_tokens,
        }
        for unit in most.keys() & told.keys() - units.keys():
            units[unit] = max(0, min(int(told[unit]), most[unit]))
        return units


def _problem(model: str, refused: Refused, otherwise: type[Problem]) -> Problem:
    """The problem that the process tells of, if it is one that a model may have."""
    told = refused.told
    kind = _KNOWN.get(str(told.get("code")))
    message, param, wait_s = str(told.get("message"))[:1000], told.get("param"), told.get("retry_after_s")
    if told.get("code") == "unsafe":
        return ModelNotReady(f"This machine cannot shut in what strangers made: {message}.")
    if kind is None:
        return otherwise(f"{model} failed: {message}")
    return kind(
        message,
        param=param[:200] if isinstance(param, str) else None,
        retry_after_s=min(float(wait_s), 60.0) if isinstance(wait_s, int | float) else None,
    )
