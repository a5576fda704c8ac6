"""The walls around a process that runs what a stranger made. Linux only; standard library only, since they come first.

Landlock (files) and seccomp (network, programs, other processes) need no rights and must hold, or nothing is run. A network
namespace of its own, and a user of its own for a parent that is root, come on top where the machine permits them.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

from inference.engines.runner import calls

_libc = ctypes.CDLL(None, use_errno=True)
NOBODY = 65534
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_SET_SECCOMP, _CAPBSET_DROP, _NO_NEW_PRIVS = 22, 24, 38  # of prctl(2)
_CAPABILITIES = 64
_CAPSET = {"x86_64": 126, "aarch64": 91}
# landlock(7): the rights over files by the version of the interface that brought them
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_READ_FILE, _READ_DIR, _WRITE_FILE = 1 << 2, 1 << 3, 1 << 1
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_SYSTEM = (
    "/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat",
    "/sys/devices/system", "/dev/urandom", "/dev/random", "/dev/zero",
)  # fmt: skip


class Unsafe(Exception):
    """This machine has not what the walls are made of."""


def shut_in(readable: Iterable[str]) -> dict[str, bool]:
    """From now on this thread, and all that it starts, reads these folders and the system's libraries, and no more.

    It writes nothing, opens no socket, starts no program, and reaches no other process. To be called before any thread is
    started. Gives which of the two further walls hold. Raises Unsafe.
    """
    if platform.system() != "Linux" or platform.machine() not in _CAPSET:
        raise Unsafe("only Linux on x86-64 and ARM64 has them")
    folders = [os.path.realpath(path) for path in readable]
    for limit, most in (
        (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, 256),
    ):  # fmt: skip
        resource.setrlimit(limit, (most, most))
    network = _leave_network()
    user = os.geteuid() == 0 and all(map(_open_to_others, folders))
    if user:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    _drop_rights()
    _close_files([*folders, os.path.realpath("/proc/self")])
    _close_calls()
    return {"own_network": network, "own_user": user}


def can_stand() -> bool:
    """Whether this machine has what the walls are made of."""
    return platform.machine() in _CAPSET and _landlock() >= 1


def _landlock() -> int:
    """The version of its interface; below 1 where the kernel has none."""
    return int(_libc.syscall(_CREATE, None, ctypes.c_size_t(0), 1))


def bound_memory(more_bytes: int) -> None:
    """From now on the process may take so much more address space than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _leave_network() -> bool:
    """Into a namespace without any address: as root, or through a user namespace where the machine lets everybody."""
    flags = _NEW_NET if os.geteuid() == 0 else _NEW_NET | _NEW_USER
    return bool(_libc.unshare(flags) == 0)


def _open_to_others(path: str) -> bool:
    """Whether any user reaches the path."""
    told = Path(path)
    if not os.stat(path).st_mode & stat.S_IROTH:
        return False
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (told, *told.parents) if parent.is_dir())


def _drop_rights() -> None:
    """Every capability, for good: root is a user like others then."""
    if _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise Unsafe("rights cannot be given up")
    for capability in range(_CAPABILITIES):
        _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)  # refused for those that do not exist, or are gone
    head = ctypes.create_string_buffer(struct.pack("<Ii", 0x20080522, 0))
    if _libc.syscall(_CAPSET[platform.machine()], head, ctypes.create_string_buffer(24)) != 0:
        raise Unsafe("rights cannot be given up")


def _close_files(readable: Iterable[str]) -> None:
    """Landlock: reading beneath these paths and the system's, writing to /dev/null. Raises Unsafe where it is not there."""
    version = _landlock()
    if version < 1:
        raise Unsafe("Landlock is not on: Linux 5.13 or later, with landlock among its security modules")
    rights = _FILE_RIGHTS.get(version, _FILE_RIGHTS[5])
    # Since version 4 TCP, since 6 abstract sockets and signals, none of which is allowed anywhere.
    attributes = struct.pack("<QQQ", rights, 3, 3)[: 8 if version < 4 else 16 if version < 6 else 24]
    rules = _libc.syscall(
        _CREATE, ctypes.create_string_buffer(attributes, len(attributes)), ctypes.c_size_t(len(attributes)), 0
    )
    if rules < 0:
        raise Unsafe("Landlock takes no rules")
    for path in (*readable, *_SYSTEM):
        _allow(rules, path, _READ_FILE | _READ_DIR)
    _allow(rules, "/dev/null", _READ_FILE | _WRITE_FILE)
    if _libc.syscall(_RESTRICT, rules, 0) != 0:
        raise Unsafe("Landlock does not hold")
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there cannot be read either
    if not stat.S_ISDIR(os.fstat(place).st_mode):
        rights &= ~_READ_DIR
    rule = ctypes.create_string_buffer(struct.pack("<Qi", rights, place), 12)
    if _libc.syscall(_ADD, rules, 1, rule, 0) != 0:
        raise Unsafe(f"Landlock does not know {path}")
    os.close(place)


def _close_calls() -> None:
    """seccomp(2): a filter of system calls, for good."""
    program = calls.program(platform.machine(), os.getpid())
    held = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HxxxxxxP", len(program) // 8, ctypes.addressof(held))
    if _libc.prctl(_SET_SECCOMP, 2, ctypes.create_string_buffer(head, len(head)), 0, 0) != 0:
        raise Unsafe("seccomp takes no filter")


def libraries() -> list[str]:
    """Where Python and what it has installed lie."""
    return [sys.prefix, sys.base_prefix]
