"""An engine: code that runs a version. It knows no Django and no HTTP request; arrays and plain values go in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from marketplace.tasks.task import ModelSpec, Task

QUEUE_MAX = 256  # requests that may wait in line at a replica, unless its version's options say otherwise


@dataclass(frozen=True, slots=True)
class ReplicaSpec:
    """One place where a version runs."""

    id: str
    engine: str
    target: str  # a SavedModel's folder, or an upstream's address
    model: str  # publisher/name, for messages
    task: Task
    spec: ModelSpec
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def queue_max(self) -> int:
        """How many requests may wait in line there; one more is refused at once."""
        return int(self.options.get("queue_max") or QUEUE_MAX)


@dataclass(frozen=True, slots=True)
class Work:
    """What to do. `given` fits the task's schema, or holds named arrays when `raw`."""

    given: Mapping[str, Any]
    raw: bool = False
    timeout_s: float = 60.0
    stop: Callable[[], bool] | None = (
        None  # asked while an upstream is silent: whether nobody wants the answer any more
    )


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it: the task's output (named arrays when the work was raw), and the units that are billed."""

    output: Any
    units: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a streamed answer. `units` are those of all that was generated so far.

    One without text, chunks and finish says that nothing came for a while.
    """

    text: str
    units: Mapping[str, int]
    native: tuple[Mapping[str, Any], ...] = ()  # an upstream's own chunks, passed through
    finish: str | None = None  # stop or length, on the last piece
    stop: str | None = None  # the stop sequence that ended it, where one did


class Engine(Protocol):
    """Thread-safe after `load`."""

    memory_bytes: int  # of memory that it takes once loaded; 0 where it runs elsewhere

    def load(self) -> None:
        """Makes the replica ready: seconds. Raises a Problem that says why it cannot be."""
        ...

    def infer(self, work: Work) -> Result:
        """One answer. Raises a Problem; UpstreamFailed and Overloaded mean that another replica may do. May raise Stopped."""
        ...

    def stream(self, work: Work) -> Iterator[Piece]:
        """The answer in pieces; closing the iterator stops the work."""
        ...

    def alive(self) -> bool:
        """Whether it would answer now; asked every few seconds where no request tells."""
        ...

    def unload(self) -> None:
        """Frees what `load` took."""
        ...
