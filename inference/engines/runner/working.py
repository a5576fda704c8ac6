"""What the shut-in process does: it describes the model or answers questions, by the engines that run in the parent too."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inference.engines.engine import Engine, ReplicaSpec, Work
from inference.engines.runner import frames
from inference.engines.tensorflow.engine import engine_of
from inference.engines.tensorflow.library import tensorflow
from inference.engines.tensors import Arrays
from marketplace.publishing.inspection import folders
from marketplace.tasks import registry
from marketplace.tasks.task import ModelSpec
from marketplace.training.artifact import kind_of, weight_bytes
from marketplace.training.signature import describe
from portal.kit.errors import Problem

Told = Mapping[str, Any]


class Worker:
    """The model in this process. `begin` first, then `answer_on` by as many threads as there are connections."""

    def __init__(self, folder: str) -> None:
        tensorflow()
        self._folder = Path(folder)
        self._engine: Engine | None = None
        self.weight_bytes = weight_bytes(self._folder)

    def begin(self, told: Told) -> dict[str, Any]:
        """What came of the parent's first word: the specification of the model, or that it is loaded, or a problem."""
        task = registry.get(told["task"])
        inspected = False
        try:
            if told["do"] == "describe":
                folders.check(self._folder)
                inspected = True
                return {"spec": describe(self._folder, task).to_json(), "kind": kind_of(self._folder)}
            spec = ModelSpec.from_json(told["spec"])
            self._engine = engine_of(
                ReplicaSpec("", "tensorflow", str(self._folder), told["model"], task, spec, told["options"])
            )
            self._engine.load()
        except Exception as error:
            return {**_problem(error), "inspected": inspected}
        return {"ready": True}

    def answer_on(self, connection: socket.socket) -> None:
        """Answers what comes, until the other side closes."""
        try:
            while True:
                told, arrays = frames.receive(connection, frames.MOST_QUESTION_BYTES)
                self._answer(connection, told, arrays)
        except (OSError, EOFError, frames.Garbled):
            os._exit(0)  # the parent is gone, or has given this process up

    def _answer(self, connection: socket.socket, told: Told, arrays: Arrays) -> None:
        assert self._engine is not None
        if told["do"] == "stop":  # of a stream that had ended by itself
            return
        raw = told["given"] is None
        work = Work(arrays if raw else told["given"], raw, max(told["ends"] - time.monotonic(), 0.0))
        try:
            if told["do"] == "stream":
                for piece in self._engine.stream(work):
                    _say(connection, {"piece": [piece.text, piece.units, piece.finish, piece.stop]})
                    if piece.finish is None and _is_stopped(connection):
                        break
                _say(connection, {"end": True})
                return
            result = self._engine.infer(work)
            if raw:
                _say(connection, {"units": result.units}, result.output)
            else:
                _say(connection, {"units": result.units, "output": result.output})
        except (OSError, EOFError):
            raise
        except Exception as error:
            _say(connection, _problem(error))


def _say(connection: socket.socket, told: Told, arrays: Arrays | None = None) -> None:
    frames.send(connection, told, arrays, frames.MOST_ANSWER_BYTES)


def _is_stopped(connection: socket.socket) -> bool:
    """Whether the parent wants no more of the stream: it says so by a frame of its own."""
    readable, _, _ = select.select([connection], [], [], 0)
    if readable:
        frames.receive(connection, frames.MOST_QUESTION_BYTES)
    return bool(readable)


def _problem(error: Exception) -> dict[str, Any]:
    if not isinstance(error, Problem):
        return {"problem": {"code": "failed", "message": f"{type(error).__name__}: {error}"[:400]}}
    told = {
        "code": error.code,
        "message": error.message[:1000],
        "param": error.param,
        "retry_after_s": error.retry_after_s,
    }
    return {"problem": told}
