"""Streams passed through: 500 at once in one process, each at its upstream's pace."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.site import CHAT, PORT, UPSTREAM_PORT, Site, pinned
from benchmarks.upstream import RATE, TOKENS

STREAMS = 500
LIMIT_S = 60


def measure() -> dict[str, Any]:
    """How many came whole, what was added to the first token's time at the median, and memory a stream."""
    if pinned(1):
        os.sched_setaffinity(0, {1})
    with Site() as site:
        site.call("/v1/chat/completions", CHAT)
        process = site._running[-1].process.pid
        body = json.dumps({**CHAT, "stream": True}).encode()
        direct = asyncio.run(_load(UPSTREAM_PORT, site.key, body, STREAMS))
        before = _memory_kb(process)
        peak: list[int] = []
        through = asyncio.run(_load(PORT, site.key, body, STREAMS, lambda: peak.append(_memory_kb(process))))
    first = statistics.median(through["first_ms"]) - statistics.median(direct["first_ms"])
    return {
        "streams": STREAMS,
        "tokens_a_second": RATE,
        "complete": through["complete"],
        "complete_direct": direct["complete"],
        "added_first_ms": first,
        "first_ms": statistics.median(through["first_ms"]),
        "seconds": through["seconds"],
        "seconds_direct": direct["seconds"],
        "kb_a_stream": (max(peak) - before) / STREAMS,
    }


class _Reader(asyncio.Protocol):
    """One stream, read as cheaply as may be: the load must not be what is measured."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.first_ms, self.words, self.whole = 0.0, 0, False
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._began = time.perf_counter()
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        found = data.count(b'"content"')
        if found and not self.words:
            self.first_ms = (time.perf_counter() - self._began) * 1000
        self.words += found
        self.whole = self.whole or b"[DONE]" in data

    def connection_lost(self, error: Exception | None) -> None:
        self.over.set_result(None)


async def _load(port: int, key: str, body: bytes, count: int, watch: Any = None) -> dict[str, Any]:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n"
    request = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    loop = asyncio.get_running_loop()
    started = time.perf_counter()

    async def one(delay_s: float) -> _Reader:
        await asyncio.sleep(delay_s)
        _, reader = await loop.create_connection(lambda: _Reader(request), "127.0.0.1", port)
        await reader.over
        return reader

    async def observe() -> None:
        while True:
            await asyncio.sleep(1)
            if watch is not None:
                watch()

    observer = asyncio.create_task(observe())
    # They come within two seconds, as people do, not in the same instant.
    readers = await asyncio.wait_for(asyncio.gather(*(one(2 * at / count) for at in range(count))), LIMIT_S)
    observer.cancel()
    return {
        "first_ms": [reader.first_ms for reader in readers],
        "complete": sum(reader.words == TOKENS and reader.whole for reader in readers),
        "seconds": time.perf_counter() - started,
    }


def _memory_kb(parent: int) -> int:
    """Of the process and its children."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            told = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        if str(parent) in (told["Pid"].strip(), told["PPid"].strip()):
            total += int(told.get("VmRSS", "0 kB").split()[0])
    return total
