"""Counters that the processes of one machine share, in a file mapped into memory: exact, without a server.

A table of fixed size with open addressing: 16 bytes of the key's hash, a signed count, when it ends (Unix time). A count
that has ended is a free place. One lock for all of it: an operation takes microseconds.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import threading
import time
from pathlib import Path

from portal.kit import processes

PLACES = 65_536
PROBES = 64  # places looked at for a key; when all are taken, the count that ends first gives way
_ROW = struct.Struct("<16sqd")


class SharedCounters:
    """Opens the file at first use, so that a process that counts nothing makes none. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._table: mmap.mmap | None = None
        self._file = -1

    def add(self, key: str, amount: int, ends_in_s: float) -> int:
        """The count after adding to it; a new one ends in `ends_in_s` seconds, an old one when it was to."""
        with self._guard, self:
            at, count, ends = self._find(key)
            if ends <= time.time():
                count, ends = 0, time.time() + ends_in_s
            self._put(at, key, count + amount, ends)
            return count + amount

    def get(self, key: str) -> tuple[int, float]:
        """The count and when it ends; (0, now) for none."""
        with self._guard, self:
            _, count, ends = self._find(key)
        now = time.time()
        return (count, ends) if ends > now else (0, now)

    def take_seat(self, key: str, seats: int) -> int | None:
        """A free one of `seats` for this process, to be given back by `leave_seat`; None if all are taken.

        The seat of a process that died is free.
        """
        with self._guard, self:
            for seat in range(seats):
                name = f"{key}#{seat}"
                at, process, ends = self._find(name)
                if ends > time.time() and processes.lives(process):
                    continue
                self._put(at, name, os.getpid(), time.time() + 86_400)
                return seat
        return None

    def seats_taken(self, key: str, seats: int) -> int:
        """How many of them processes have that live."""
        taken = 0
        with self._guard, self:
            for seat in range(seats):
                _, process, ends = self._find(f"{key}#{seat}")
                taken += ends > time.time() and processes.lives(process)
        return taken

    def leave_seat(self, key: str, seat: int) -> None:
        """The seat is free."""
        self.drop(f"{key}#{seat}")

    def drop(self, key: str) -> None:
        """Ends the count."""
        with self._guard, self:
            at, _, ends = self._find(key)
            if ends > time.time():
                self._put(at, key, 0, 0.0)

    def __enter__(self) -> None:
        if self._table is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if os.fstat(self._file).st_size < PLACES * _ROW.size:
                os.ftruncate(self._file, PLACES * _ROW.size)
            self._table = mmap.mmap(self._file, PLACES * _ROW.size)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *raised: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def _find(self, key: str) -> tuple[int, int, float]:
        """Where the key's row is or may be put, its count, and when it ends (0 for none)."""
        assert self._table is not None
        name = hashlib.blake2b(key.encode(), digest_size=16).digest()
        start, now = int.from_bytes(name[:8], "little"), time.time()
        free, free_ends = -1, float("inf")
        for probe in range(PROBES):
            at = (start + probe) % PLACES * _ROW.size
            held, count, ends = _ROW.unpack_from(self._table, at)
            if held == name:
                return at, count, ends
            if ends < free_ends and not (free >= 0 and free_ends <= now):
                free, free_ends = at, ends
            if not ends and held == bytes(16):
                break  # never used: the key is not further on
        return free, 0, 0.0

    def _put(self, at: int, key: str, count: int, ends: float) -> None:
        assert self._table is not None
        _ROW.pack_into(self._table, at, hashlib.blake2b(key.encode(), digest_size=16).digest(), count, ends)
