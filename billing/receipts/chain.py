"""The form of a receipt: lines of canonical JSON, each bound to all before it, and a signature over the last.

    {"hash":"…","receipt":{…}}                      whose usage, of which time
    {"event":{…},"hash":"…"}                        one a usage event, the oldest first
    {"signature":"…","signed":{… "hash":"…" …}}     Ed25519 over the canonical JSON of `signed`

hash = SHA-256 of the hash of the line before (32 bytes; none before the first line) and the line without its `hash`.
Canonical JSON has sorted names, no blanks, UTF-8 as it is and whole numbers only, and a line ends with one line feed: so
each byte of the file counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FORMAT = "mercato-receipt-1"


def canonical(value: Any) -> bytes:
    """The one way to write a value of texts, whole numbers, lists and objects."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


class Chain:
    """Writes a receipt line by line."""

    def __init__(self) -> None:
        self._hash = b""
        self.count = 0
        self.cost_nanos = 0
        self.units: dict[str, int] = {}

    def begin(self, receipt: Mapping[str, Any]) -> bytes:
        """The first line."""
        content = canonical({**receipt, "format": FORMAT})
        return b'{"hash":"%b","receipt":%b}\n' % (self._next(b'{"receipt":%b}' % content), content)

    def add(self, event: Mapping[str, Any]) -> bytes:
        """The line of an event."""
        self.count += 1
        self.cost_nanos += event["cost_nanos"]
        for unit, n in event["units"].items():
            self.units[unit] = self.units.get(unit, 0) + n
        content = canonical(event)  # once: writing it is most of the work
        return b'{"event":%b,"hash":"%b"}\n' % (content, self._next(b'{"event":%b}' % content))

    def end(self, key_id: str, key: Ed25519PrivateKey) -> bytes:
        """The last line."""
        signed = {
            "hash": self._hash.hex(), "key": key_id, "events": self.count, "cost_nanos": self.cost_nanos,
            "units": self.units,
        }  # fmt: skip
        return canonical({"signature": key.sign(canonical(signed)).hex(), "signed": signed}) + b"\n"

    def _next(self, line: bytes) -> bytes:
        """The hash that the line gets."""
        self._hash = hashlib.sha256(self._hash + line).digest()
        return self._hash.hex().encode()


class ReceiptInvalid(ValueError):
    """The receipt is not as it was signed; says at which line."""


class KeyUnknown(ValueError):
    """The receipt names a key that is not among those given: nothing can be said."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a receipt that is as it was signed says."""

    receipt: Mapping[str, Any]
    signed: Mapping[str, Any]


def check(lines: Iterable[bytes], keys: Mapping[str, str]) -> Checked:
    """Reads a receipt to its end, holding one line at a time. `keys`: id → public key, hexadecimal.

    Raises ReceiptInvalid, KeyUnknown.
    """
    head, events, nanos = b"", 0, 0
    receipt: Mapping[str, Any] | None = None
    last: Mapping[str, Any] | None = None
    for number, line in enumerate(lines, 1):
        record = _read(line, number)
        if last is not None:
            raise ReceiptInvalid(f"line {number}: something follows the signature")
        if set(record) == {"signature", "signed"} and receipt is not None:
            last = record
            continue
        told = record.pop("hash", None)
        if not isinstance(told, str) or set(record) != ({"receipt"} if receipt is None else {"event"}):
            raise ReceiptInvalid(f"line {number}: neither the beginning, an event, nor the signature")
        head = hashlib.sha256(head + _canonical(record)).digest()
        if told != head.hex():
            raise ReceiptInvalid(f"line {number}: the chain breaks; this line, or one before it, is not as it was")
        if receipt is None:
            receipt = record["receipt"]
        else:
            events, nanos = events + 1, nanos + _cost(record["event"], number)
    if receipt is None or last is None:
        raise ReceiptInvalid("the signature is missing: the file is not complete")
    _verify(last, keys, {"hash": head.hex(), "events": events, "cost_nanos": nanos})
    return Checked(receipt, last["signed"])


def _verify(last: Mapping[str, Any], keys: Mapping[str, str], sums: Mapping[str, Any]) -> None:
    signed = last["signed"]
    if not isinstance(signed, dict) or any(signed.get(name) != value for name, value in sums.items()):
        raise ReceiptInvalid("the last line does not fit the lines before it")
    if signed.get("key") not in keys:
        raise KeyUnknown(f"signed with the key {str(signed.get('key'))[:60]}, which is not among those given")
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(keys[signed["key"]]))
        signature = bytes.fromhex(last["signature"])
        public.verify(signature, _canonical(signed))
        if signature.hex() != last["signature"]:
            raise ValueError("hexadecimal has one form here: small letters, no blanks")
    except (InvalidSignature, ValueError, TypeError) as error:
        raise ReceiptInvalid("the signature is not of this key over these lines") from error


def _cost(event: Any, number: int) -> int:
    cost = event.get("cost_nanos") if isinstance(event, dict) else None
    if not isinstance(cost, int):
        raise ReceiptInvalid(f"line {number}: an event without its cost")
    return cost


def _canonical(value: Any) -> bytes:
    """As `canonical`, with whole numbers of any size: what is checked was not made here."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _read(line: bytes, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
        if isinstance(record, dict) and _canonical(record) + b"\n" == line:
            return record
    except (ValueError, RecursionError):
        pass
    raise ReceiptInvalid(f"line {number}: not canonical JSON")
