"""Streams passed through: 500 at once in one process, each at its upstream's pace."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.site import CHAT, PORT, UPSTREAM_PORT, Site
from benchmarks.upstream import RATE, TOKENS

STREAMS = 500
LIMIT_S = 60


def measure() -> dict[str, Any]:
    """How many came whole, what was added to the first token's time at the median, and memory a stream."""
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


async def _load(port: int, key: str, body: bytes, count: int, watch: Any = None) -> dict[str, Any]:
    first: list[float] = []
    complete = 0
    started = time.perf_counter()

    async def one(delay_s: float) -> None:
        nonlocal complete
        await asyncio.sleep(delay_s)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n"
        began = time.perf_counter()
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        words, ended = 0, False
        while line := await reader.readline():
            if b'"content"' in line:
                if not words:
                    first.append((time.perf_counter() - began) * 1000)
                words += 1
            ended = ended or b"[DONE]" in line
        writer.close()
        complete += words == TOKENS and ended

    async def observe() -> None:
        while True:
            await asyncio.sleep(1)
            if watch is not None:
                watch()

    observer = asyncio.create_task(observe())
    # They come within two seconds, as people do, not in the same instant.
    await asyncio.wait_for(asyncio.gather(*(one(2 * at / count) for at in range(count))), LIMIT_S)
    observer.cancel()
    return {"first_ms": first, "complete": complete, "seconds": time.perf_counter() - started}


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
