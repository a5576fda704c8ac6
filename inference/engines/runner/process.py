"""One shut-in process, seen from outside: started, asked over its connections, ended."""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from inference.engines.runner import frames
from inference.engines.tensors import Arrays
from inference.errors import DeadlinePassed, Overloaded

CONNECTIONS = 32  # questions at once; others wait in line for one
GRACE_S = 2.0  # past a question's time: the process says by itself that it is late, if it can
_CODE = Path(__file__).parents[3]
_ENVIRONMENT = {
    "PYTHONPATH": str(_CODE), "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8", "HOME": "/nonexistent",
    "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow",
    # Address space is what is bounded: it shall not go to what nobody uses.
    "MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
}  # fmt: skip
Told = Mapping[str, Any]


class Gone(Exception):
    """The process ended, or said what nobody can read; it does not run any more."""


class Silent(Exception):
    """It did not answer in time; it does not run any more."""


class Refused(Exception):
    """It says that something is wrong: `told` has code, message, param and retry_after_s. It goes on.

    `inspected`: what it is to describe was found harmless before.
    """

    def __init__(self, told: Told, inspected: bool = False) -> None:
        super().__init__(str(told.get("message")))
        self.told, self.inspected = told, inspected


class Process:
    """For the model in a folder. `begin` comes first; then any number of threads ask."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError where there is no room for another process."""
        pairs = [socket.socketpair() for _ in range(CONNECTIONS + 1)]
        self._control, *ours = [pair[0] for pair in pairs]
        theirs = [pair[1].fileno() for pair in pairs]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "inference.engines.runner.child", str(folder), *map(str, theirs)],
            env=_ENVIRONMENT, cwd="/", pass_fds=theirs, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _, their in pairs:
            their.close()
        self._free: queue.LifoQueue[socket.socket | None] = queue.LifoQueue()
        for connection in ours:
            self._free.put(connection)
        self._guard = threading.Lock()
        self._waiting = 0
        self.born = time.monotonic()
        self.ended = False

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it is there."""
        return not self.ended and self._process.poll() is None

    @property
    def memory_bytes(self) -> int:
        """What it holds of the machine's memory, but for what it shares with others: libraries. 0 when it is gone."""
        try:
            _, resident, shared, *_ = map(int, Path(f"/proc/{self.pid}/statm").read_text().split())
        except (OSError, ValueError):
            return 0
        return (resident - shared) * os.sysconf("SC_PAGE_SIZE")

    @property
    def peak_bytes(self) -> int:
        """The most memory that it has held so far, libraries included. 0 when it is gone."""
        try:
            told = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return 0
        return next((int(line.split()[1]) << 10 for line in told.splitlines() if line.startswith("VmHWM:")), 0)

    @property
    def computed_s(self) -> float:
        """Seconds of the processor that it has used so far, on all cores. 0 when it is gone."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def begin(self, told: Told, within_s: float) -> dict[str, Any]:
        """What it says when it is ready. Raises Refused, Gone, Silent."""
        return self._said(self._exchange(self._control, told, {}, time.monotonic() + within_s))[0]

    def ask(self, told: Told, arrays: Arrays, ends: float, most_waiting: int) -> tuple[dict[str, Any], Arrays]:
        """The answer by `ends` (time.monotonic()). Raises Refused, Gone, Silent; Overloaded, DeadlinePassed in line.

        ValueError and KeyError are for what cannot be sent.
        """
        connection = self._borrow(ends, most_waiting)
        answer = self._exchange(connection, {**told, "ends": ends}, arrays, ends + GRACE_S)
        self._free.put(connection)
        return self._said(answer)

    def follow(self, told: Told, ends: float, most_waiting: int) -> Generator[dict[str, Any], None, None]:
        """The pieces of a stream, as they come; closing the iterator stops the work. Raises as `ask`."""
        connection, told = self._borrow(ends, most_waiting), {**told, "ends": ends}
        said, _ = self._exchange(connection, told, {}, ends + GRACE_S)
        try:
            while "piece" in said:
                yield said
                said, _ = self._received(connection, ends + GRACE_S)
        finally:
            if "piece" in said and self.runs:  # it was closed: what is on its way is passed over
                said, _ = self._exchange(connection, {"do": "stop"}, {}, time.monotonic() + GRACE_S)
                while "piece" in said:
                    said, _ = self._received(connection, time.monotonic() + GRACE_S)
            self._free.put(connection)
        self._said((said, {}))

    def end(self) -> None:
        """Kills it. Who waits for an answer is told by the connection."""
        with self._guard:
            if self.ended:
                return
            self.ended = True
        self._process.kill()
        self._process.wait()
        self._control.close()
        while True:
            try:
                connection = self._free.get_nowait()
            except queue.Empty:
                break
            if connection is not None:
                connection.close()
        self._free.put(None)

    def _borrow(self, ends: float, most_waiting: int) -> socket.socket:
        with self._guard:
            if self._waiting >= most_waiting:
                raise Overloaded("This model has too many requests waiting.", retry_after_s=1)
            self._waiting += 1
        try:
            connection = self._free.get(timeout=max(ends - time.monotonic(), 0.0))
        except queue.Empty:
            raise DeadlinePassed("This model did not get to the request in time.", retry_after_s=5) from None
        finally:
            with self._guard:
                self._waiting -= 1
        if connection is None or self.ended:
            self._free.put(None)
            raise Gone
        return connection

    def _exchange(
        self, connection: socket.socket, told: Told, arrays: Arrays, ends: float
    ) -> tuple[dict[str, Any], Arrays]:
        try:
            connection.settimeout(max(ends - time.monotonic(), 0.01))
            frames.send(connection, told, arrays, frames.MOST_QUESTION_BYTES)
        except (ValueError, KeyError):
            self._free.put(connection)
            raise
        except TimeoutError:
            raise self._over(connection, Silent()) from None
        except OSError:
            raise self._over(connection, Gone()) from None
        return self._received(connection, ends)

    def _received(self, connection: socket.socket, ends: float) -> tuple[dict[str, Any], Arrays]:
        try:
            return frames.receive(connection, frames.MOST_ANSWER_BYTES, ends)
        except TimeoutError:
            raise self._over(connection, Silent()) from None
        except (OSError, EOFError, frames.Garbled, MemoryError):
            raise self._over(connection, Gone()) from None

    def _over(self, connection: socket.socket, error: Exception) -> Exception:
        connection.close()
        self.end()
        return error

    def _said(self, answer: tuple[dict[str, Any], Arrays]) -> tuple[dict[str, Any], Arrays]:
        if "problem" in answer[0]:
            told = answer[0]["problem"]
            raise Refused(told if isinstance(told, dict) else {}, bool(answer[0].get("inspected")))
        return answer
