"""A process for one model that a stranger made: `python -P -m inference.engines.runner.child FOLDER CONTROL CONNECTION…`.

The numbers are those of sockets that it was started with. Over CONTROL it is told what to do, says when it is ready, and
ends when the other side closes it, as its parent's end does. Each CONNECTION carries one question at a time; a thread each
answers with the engine that would answer in the parent. The walls come first: before anything of the model is read, and
before anything is imported that could start a thread.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
from types import ModuleType
from typing import Any, cast

# Their folders are found now: the one that holds them all cannot be listed any more once the walls stand.
import inference
import marketplace
import portal.kit
from inference.engines.runner import walls

MEMORY_BYTES = 1 << 30  # beside what the libraries take, and MEMORY_TIMES the model's files
MEMORY_TIMES = 4
NICE = 5  # the portal itself comes first where both want the processor


def main() -> None:
    """Serves until the parent goes."""
    folder, control, *connections = sys.argv[1:]
    os.nice(NICE)
    code = [inference.__path__[0], marketplace.__path__[0], portal.kit.__path__[0]]
    try:
        held: dict[str, Any] = dict(walls.shut_in([folder, *code, *walls.libraries()]))
    except walls.Unsafe as error:
        held = {"unsafe": str(error)}
    # Libraries ask for places to write when they are imported, and take no for an answer in these ways alone.
    tempfile.tempdir = "/nonexistent"
    sys.modules["matplotlib"] = cast("ModuleType", None)
    _serve(folder, _opened(control), [_opened(one) for one in connections], held)


def _opened(number: str) -> socket.socket:
    return socket.socket(fileno=int(number))


def _serve(folder: str, control: socket.socket, connections: list[socket.socket], held: dict[str, Any]) -> None:
    from inference.engines.runner import frames

    try:
        told, _ = frames.receive(control, frames.MOST_QUESTION_BYTES)
        if "unsafe" in held:
            frames.send(
                control, {"problem": {"code": "unsafe", "message": held["unsafe"]}}, {}, frames.MOST_ANSWER_BYTES
            )
            return
        from inference.engines.runner import working

        worker = working.Worker(folder)
        walls.bound_memory(MEMORY_BYTES + MEMORY_TIMES * worker.weight_bytes)
        frames.send(control, {**worker.begin(told), **held}, {}, frames.MOST_ANSWER_BYTES)
        for connection in connections:
            threading.Thread(target=worker.answer_on, args=(connection,), daemon=True).start()
        control.recv(1)
    except (OSError, EOFError, frames.Garbled):
        pass


if __name__ == "__main__":
    main()
    # TensorFlow's threads are not worth waiting for.
    os._exit(0)
