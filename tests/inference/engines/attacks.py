"""What a stranger's code might try, once it has got as far as running: each from behind the walls, told as JSON.

`python -P attacks.py FOLDER '{"secret": …, "folder": …, "parent": …, "port": …, "unix": …}'`
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from inference.engines.runner import walls

libc = ctypes.CDLL(None, use_errno=True)
IO_URING_SETUP, MEMFD_CREATE, CLONE3 = 425, 319 if os.uname().machine == "x86_64" else 279, 435


def call(number: int, *given: object) -> None:
    """A system call by its number."""
    if libc.syscall(number, *given) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def connected(family: int, address: object) -> None:
    with socket.socket(family) as one:
        one.connect(address)  # type: ignore[arg-type] # of either kind


def attacks(told: dict[str, str]) -> dict[str, Callable[[], object]]:
    secret, folder, parent = told["secret"], told["folder"], int(told["parent"])
    return {
        "read a file of the portal": lambda: Path(secret).read_bytes(),
        "read its settings": lambda: Path(told["settings"]).read_bytes(),
        "list a folder of the portal": lambda: os.listdir(Path(secret).parent),
        "list the root": lambda: os.listdir("/"),
        "read the users": lambda: Path("/etc/passwd").read_bytes(),
        "read its parent's environment": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
        "read its parent's memory": lambda: Path(f"/proc/{parent}/maps").read_bytes(),
        "find other processes": lambda: os.listdir("/proc"),
        "write beside the model": lambda: (Path(folder) / "evil").write_bytes(b"evil"),
        "change the model": lambda: (Path(folder) / "saved_model.pb").write_bytes(b"evil"),
        "remove the model": lambda: (Path(folder) / "saved_model.pb").unlink(),
        "change its modes": lambda: (Path(folder) / "saved_model.pb").chmod(0o777),
        "change its times": lambda: os.utime(Path(folder) / "saved_model.pb"),
        "link to it": lambda: os.link(Path(folder) / "saved_model.pb", Path(folder) / "evil"),
        "write to /tmp": lambda: Path("/tmp/evil-of-a-stranger").write_bytes(b"evil"),
        "make a folder": lambda: Path("/tmp/evil-folder-of-a-stranger").mkdir(),
        "connect to a port": lambda: connected(socket.AF_INET, ("127.0.0.1", int(told["port"]))),
        "connect by IPv6": lambda: connected(socket.AF_INET6, ("::1", int(told["port"]))),
        "connect to a path": lambda: connected(socket.AF_UNIX, told["unix"]),
        "open a pair of sockets": socket.socketpair,
        "listen": lambda: socket.create_server(("127.0.0.1", 0)),
        "open a ring": lambda: call(IO_URING_SETUP, 1, ctypes.create_string_buffer(120)),
        "start a program": lambda: subprocess.run(["/usr/bin/id"], check=True),
        "fork": os.fork,
        "kill its parent": lambda: os.kill(parent, 0),
        "kill everybody": lambda: os.kill(-1, 0),
        "trace its parent": lambda: call(101 if os.uname().machine == "x86_64" else 117, 16, parent, 0, 0),
        "keep memory in a file": lambda: call(MEMFD_CREATE, b"evil", 0),
        "become root": lambda: os.setuid(0) if os.getuid() else call(165, b"none", b"/", b"tmpfs", 0, None),
        "change its root": lambda: os.chroot(folder),
        "name a new process by flags in memory": lambda: call(CLONE3, ctypes.create_string_buffer(88), 88),
    }


def main() -> None:
    folder, told = sys.argv[1], json.loads(sys.argv[2])
    code = [str(Path(walls.__file__).parents[2])]
    held = walls.shut_in([folder, *code, *walls.libraries()])
    found: dict[str, str] = {"environment": ",".join(sorted(os.environ)), "walls": json.dumps(held)}
    for name, attack in attacks(told).items():
        try:
            attack()
            found[name] = "done"
        except (OSError, subprocess.SubprocessError):
            found[name] = "refused"
    # What it needs still works.
    found["read the model"] = str(len((Path(folder) / "saved_model.pb").read_bytes()))
    thread = threading.Thread(target=lambda: found.update(thread="runs"))
    thread.start()
    thread.join()
    walls.bound_memory(64 << 20)
    try:
        bytearray(256 << 20)
    except MemoryError:
        found["memory"] = "bounded"
    print(json.dumps(found), flush=True)
    os.kill(os.getpid(), signal.SIGABRT)


if __name__ == "__main__":
    main()
