"""What a process that is not trusted says is read within bounds, or not at all."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator

import numpy as np
import orjson
import pytest

from inference.engines.runner import frames

MOST = 1 << 20
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def frame(told: object, blob: bytes = b"") -> bytes:
    header = orjson.dumps(told)
    return struct.pack("<II", len(header), len(blob)) + header + blob


def test_what_is_sent_arrives_as_it_was(pair: Pair) -> None:
    arrays = {
        "numbers": np.arange(6, dtype=np.float32).reshape(2, 3),
        "flags": np.asarray([[True], [False]]),
        "texts": np.asarray([b"one", "zwölf".encode(), b""], object),
        "none": np.zeros((0, 4), np.int64),
    }
    frames.send(pair[1], {"given": {"x": [1.5, None]}}, arrays, MOST)
    told, found = frames.receive(pair[0], MOST)
    assert told == {"given": {"x": [1.5, None]}}
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    "said",
    [
        struct.pack("<II", 1 << 31, 0),
        struct.pack("<II", 10, MOST),
        struct.pack("<II", 3, 0) + b"{]}",
        frame([]),
        frame({}),
        frame({"arrays": 5}),
        frame({"arrays": [["y", "FP32", [2], 8]]}),
        frame({"arrays": [["y", "FP32", [3], 8]]}, bytes(8)),
        frame({"arrays": [["y", "FP32", [2], -8]]}, bytes(8)),
        frame({"arrays": [["y", "OBJECT", [1], 8]]}, bytes(8)),
        frame({"arrays": [["y", "FP32", ["a"], 8]]}, bytes(8)),
        frame({"arrays": [["y", "BYTES", [1], 4]]}, struct.pack("<I", 1 << 30)),
    ],
)
def test_what_is_no_frame_or_too_long_is_not_read(pair: Pair, said: bytes) -> None:
    pair[1].sendall(said)
    with pytest.raises(frames.Garbled):
        frames.receive(pair[0], MOST)


def test_too_much_is_not_sent(pair: Pair) -> None:
    with pytest.raises(ValueError, match="more than 1 MiB"):
        frames.send(pair[0], {"given": "x" * MOST}, {}, MOST)


def test_who_says_it_a_byte_at_a_time_is_late_all_the_same(pair: Pair) -> None:
    stop = threading.Event()

    def dribble() -> None:
        for byte in frame({"arrays": []}):
            if stop.wait(0.1):
                return
            pair[1].sendall(bytes([byte]))

    thread = threading.Thread(target=dribble)
    thread.start()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        frames.receive(pair[0], MOST, began + 0.5)
    assert time.monotonic() - began < 1
    stop.set()
    thread.join()


def test_who_is_gone_is_noticed(pair: Pair) -> None:
    pair[1].sendall(frame({"arrays": []})[:-3])
    pair[1].close()
    with pytest.raises(EOFError):
        frames.receive(pair[0], MOST)
