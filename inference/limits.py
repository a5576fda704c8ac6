"""May the key call now: requests and tokens a minute, requests at once. And: may this process take one more.

Exact across processes: counted in Redis by REDIS_URL, else in a file that the processes of one machine share.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from limits import RateLimitItemPerMinute
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from inference.errors import Overloaded, RateLimited
from portal.accounts.keys.lookup import Caller
from portal.kit.counters import SharedCounters

SEAT_S = 3_600  # in Redis, a dead process's seats are free after this

_shared = SharedCounters(settings.DATA_DIR / "limits" / "counters")


class SharedStorage(Storage):
    """The library's windows in our shared counters."""

    STORAGE_SCHEME = ["shared"]

    @property
    def base_exceptions(self) -> type[Exception]:
        return OSError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return _shared.add(key, amount, expiry)

    def get(self, key: str) -> int:
        return _shared.get(key)[0]

    def get_expiry(self, key: str) -> float:
        return _shared.get(key)[1]

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        return None

    def clear(self, key: str) -> None:
        _shared.drop(key)


_storage: Any = storage_from_string(settings.REDIS_URL or "shared://")
_limiter = FixedWindowRateLimiter(_storage)
_redis: Any = redis.Redis.from_url(settings.REDIS_URL) if settings.REDIS_URL else None
# Seats that were never given back are passed over; then a seat is taken if one is left.
_SIT = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[4]); redis.call('EXPIRE', KEYS[1], ARGV[5]); return 1
"""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of the minute. `limit` 0: no limit."""

    limit: int
    remaining: int
    resets_in_s: float

    def headers(self, what: str = "requests") -> dict[str, str]:
        """As OpenAI sends them; the reset is a Go duration."""
        if not self.limit:
            return {f"x-ratelimit-limit-{what}": "0"}
        return {
            f"x-ratelimit-limit-{what}": str(self.limit),
            f"x-ratelimit-remaining-{what}": str(max(self.remaining, 0)),
            f"x-ratelimit-reset-{what}": f"{max(self.resets_in_s, 0):.3f}s",
        }


UNLIMITED = Allowance(0, 0, 0.0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A call that is inside: what it took and must give back by `leave`."""

    key_id: str = ""
    seat: int | str | None = None
    tpm: int = 0
    tokens: int = 0
    window_ends: float = 0.0


_INSIDE = Entry()
_inside = 0
_guard = threading.Lock()


def take(caller: Caller) -> Allowance:
    """Counts one request of the key. The refusal is the caller's to make: see `refuse`."""
    if not caller.rpm:
        return UNLIMITED
    item = RateLimitItemPerMinute(caller.rpm)
    allowed = _limiter.hit(item, caller.key_id)
    window = _limiter.get_window_stats(item, caller.key_id)
    return Allowance(caller.rpm, window.remaining if allowed else -1, window.reset_time - time.time())


def refuse(allowance: Allowance) -> None:
    """Raises RateLimited (429) if `take` went over the limit."""
    if allowance.limit and allowance.remaining < 0:
        raise RateLimited(
            f"This key may make {allowance.limit} requests a minute: wait, or ask for a higher limit.",
            retry_after_s=allowance.resets_in_s,
        )


def tokens_left(caller: Caller) -> Allowance:
    """Of the key's tokens a minute."""
    if not caller.tpm:
        return UNLIMITED
    item = RateLimitItemPerMinute(caller.tpm)
    window = _limiter.get_window_stats(item, caller.key_id, "tokens")
    return Allowance(caller.tpm, window.remaining, window.reset_time - time.time())


def enter(caller: Caller, tokens: int) -> Entry:
    """Lets a call in that uses `tokens` at most. Raises Overloaded (503) at once, and RateLimited (429)."""
    _come_in()
    if not (caller.tpm or caller.concurrency):
        return _INSIDE
    seat: int | str | None = None
    try:
        if caller.concurrency:
            seat = _sit(caller)
        window_ends = _reserve(caller, tokens) if caller.tpm else 0.0
    except BaseException:
        leave(Entry(caller.key_id, seat), 0)
        raise
    return Entry(caller.key_id, seat, caller.tpm, tokens, window_ends)


def leave(entry: Entry, tokens: int) -> None:
    """The call is over and used so many tokens: the rest can be used by others."""
    _go_out()
    if entry.seat is not None:
        if _redis is not None:
            _redis.zrem(f"seats:{entry.key_id}", entry.seat)
        else:
            _shared.leave_seat(entry.key_id, int(entry.seat))
    if entry.tpm and entry.tokens > tokens and time.time() < entry.window_ends:
        item = RateLimitItemPerMinute(entry.tpm)
        _storage.incr(item.key_for(entry.key_id, "tokens"), item.get_expiry(), amount=tokens - entry.tokens)


@contextmanager
def inside() -> Iterator[None]:
    """For who only waits or reads here: takes a thread as a call does. Raises Overloaded (503) at once."""
    _come_in()
    try:
        yield
    finally:
        _go_out()


def _come_in() -> None:
    global _inside
    with _guard:
        if _inside >= settings.REQUESTS_MAX:
            raise Overloaded("This server is full: try again shortly.", retry_after_s=1)
        _inside += 1


def _go_out() -> None:
    global _inside
    with _guard:
        _inside -= 1


def _sit(caller: Caller) -> int | str:
    if _redis is not None:
        name, now = uuid.uuid4().hex, time.time()
        taken = _redis.eval(_SIT, 1, f"seats:{caller.key_id}", now, caller.concurrency, now + SEAT_S, name, SEAT_S)
        seat: int | str | None = name if taken else None
    else:
        seat = _shared.take_seat(caller.key_id, caller.concurrency)
    if seat is None:
        raise RateLimited(
            f"This key may make {caller.concurrency} requests at once: wait for one to end.", retry_after_s=1
        )
    return seat


def _reserve(caller: Caller, tokens: int) -> float:
    item = RateLimitItemPerMinute(caller.tpm)
    allowed = _limiter.hit(item, caller.key_id, "tokens", cost=tokens)
    window = _limiter.get_window_stats(item, caller.key_id, "tokens")
    if not allowed:
        _storage.incr(item.key_for(caller.key_id, "tokens"), item.get_expiry(), amount=-tokens)
        raise RateLimited(
            f"This key may use {caller.tpm} tokens a minute, and this request may use {tokens}: wait, or lower max_tokens.",
            code="tokens_exceeded",
            retry_after_s=window.reset_time - time.time(),
        )
    return float(window.reset_time)
