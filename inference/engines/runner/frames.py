"""What parent and child say to each other: a header as JSON, and arrays as their bytes. Never a pickle.

4 bytes   length of the header      little-endian
4 bytes   length of the arrays
header    a JSON object; `arrays` lists name, datatype, shape and bytes of each
arrays    one after the other, as the Open Inference Protocol writes them
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

import orjson

from inference.engines import tensors
from inference.engines.tensors import Arrays

MOST_QUESTION_BYTES = 256 << 20  # of a header and its arrays
MOST_ANSWER_BYTES = 32 << 20  # less, since who answers is not trusted, and many may answer at once
STEP_BYTES = 1 << 20  # memory is taken as the bytes come, not as they are promised
_HEAD = struct.Struct("<II")


class Garbled(Exception):
    """The other side said what no frame is."""


def send(connection: socket.socket, told: Mapping[str, Any], arrays: Arrays | None, most: int) -> None:
    """Raises OSError when the other side is gone, KeyError for a type of array that is not carried, ValueError for too much."""
    listed, blobs = [], []
    for name, array in (arrays or {}).items():
        blobs.append(tensors.to_bytes(array))
        listed.append((name, tensors.name_of(array), array.shape, len(blobs[-1])))
    header = orjson.dumps({**told, "arrays": listed}, option=orjson.OPT_SERIALIZE_NUMPY)
    blob = b"".join(blobs)
    if len(header) + len(blob) > most:
        raise ValueError(f"more than {most >> 20} MiB at once")
    connection.sendall(_HEAD.pack(len(header), len(blob)) + header + blob)


def receive(connection: socket.socket, most: int, ends: float | None = None) -> tuple[dict[str, Any], Arrays]:
    """The next frame, whole by `ends` (time.monotonic()). Raises EOFError when the other side is gone, TimeoutError, Garbled."""
    header_size, blob_size = _HEAD.unpack(_exactly(connection, _HEAD.size, ends))
    if header_size + blob_size > most:
        raise Garbled("a frame is too long")
    header = _exactly(connection, header_size, ends)
    blob = memoryview(_exactly(connection, blob_size, ends))
    try:
        told = orjson.loads(header)
        found, at = {}, 0
        for name, datatype, shape, size in told.pop("arrays"):
            if size < 0 or at + size > blob_size:
                raise Garbled("an array is longer than its frame")
            found[str(name)] = tensors.from_bytes(blob[at : at + size], datatype, shape)
            at += size
    except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise Garbled("a frame cannot be read") from error
    return told, found


def _exactly(connection: socket.socket, size: int, ends: float | None) -> bytearray:
    data = bytearray()
    while len(data) < size:
        if ends is not None:
            left_s = ends - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            connection.settimeout(left_s)
        got = connection.recv(min(size - len(data), STEP_BYTES))
        if not got:
            raise EOFError
        data += got
    return data
