"""Ids that people see: a prefix that names the thing, then a UUIDv7 in Crockford base 32.

`use_01jd4zq…` sorts by time of creation as text, names its kind, and survives a double click.
"""

from __future__ import annotations

import hashlib
import os
import time
from datetime import UTC, datetime
from uuid import UUID

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUE = {c: i for i, c in enumerate(_ALPHABET)}
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
LENGTH = 26


def make(prefix: str) -> str:
    """A new id `prefix_` + 26 characters; later ids (to the millisecond) sort after earlier ones."""
    return _text(prefix, time.time_ns() // 1_000_000, os.urandom(10))


def first(prefix: str, moment: datetime) -> str:
    """The least id that can be made at this moment (to the millisecond): ids from then on sort at or after it."""
    return _text(prefix, int(moment.timestamp() * 1000), bytes(10))


def of_attempt(prefix: str, name: str, since: datetime) -> str:
    """The id of what an operation of this name, begun then, makes: the same however often it is tried."""
    return _text(prefix, int(since.timestamp() * 1000), hashlib.sha256(name.encode()).digest())


def _text(prefix: str, milliseconds: int, noise: bytes) -> str:
    # RFC 9562 §5.7: 48 bits of Unix milliseconds, version 7, 12 random bits, variant 2, 62 random bits.
    random = int.from_bytes(noise[:10], "big")
    number = milliseconds << 80 | 0x7 << 76 | (random >> 68) << 64 | 0x2 << 62
    number |= random & 0x3FFF_FFFF_FFFF_FFFF
    # 26 characters hold 130 bits: thirteen pairs of ten.
    pairs = [_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)]
    return f"{prefix}_{''.join(pairs)}"


def parse(text: str, prefix: str) -> UUID:
    """The UUID in an id with this prefix. Raises ValueError for anything else."""
    head, _, tail = text.partition("_")
    if head != prefix or len(tail) != LENGTH:
        raise ValueError(f"{text!r} is not an id of the form {prefix}_…")
    number = 0
    for character in tail:
        if character not in _VALUE:
            raise ValueError(f"{text!r} has the character {character!r}, which no id has")
        number = number << 5 | _VALUE[character]
    if number >> 128:
        raise ValueError(f"{text!r} is too large for an id")
    return UUID(int=number)


def made_at(text: str) -> datetime | None:
    """When an id of any kind was made, to the millisecond, also of what is named after it (`batch_….7`); None of other texts."""
    head, _, tail = text.partition("_")
    try:
        return datetime.fromtimestamp((parse(f"{head}_{tail[:LENGTH]}", head).int >> 80) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
