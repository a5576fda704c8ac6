"""May the key call now: requests and tokens a minute, requests at once. And: may this process take one more.

Exact across processes: counted in Redis by REDIS_URL, else in a file that the processes of one machine share. Where
neither can be reached, whoever has limits gets StoreDown (503) within seconds; who is inside is let out.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry

from billing.errors import StoreDown
from billing.plans.limits import requests_a_minute
from inference.errors import Overloaded, RateLimited, TokensExceeded
from portal.accounts.keys.lookup import Caller
from portal.kit.counters import SharedCounters
from portal.kit.windows import SharedStorage

log = logging.getLogger(__name__)
SEAT_S = 3_600  # in Redis, a dead process's seats are free after this
REDIS_TIMEOUT_S = 1.0  # of each of two tries: a connection may be from before a restart
DOWN_S = 1.0  # so long nobody asks a store that just failed: threads must not pile up before it

_shared = SharedCounters(settings.DATA_DIR / "limits" / "counters")


_options: dict[str, Any] = {
    "socket_timeout": REDIS_TIMEOUT_S,
    "socket_connect_timeout": REDIS_TIMEOUT_S,
    "retry": Retry(NoBackoff(), 1),
}
_storage: Any = storage_from_string(settings.REDIS_URL, **_options) if settings.REDIS_URL else SharedStorage(_shared)
_limiter = FixedWindowRateLimiter(_storage)
_redis: Any = redis.Redis.from_url(settings.REDIS_URL, **_options) if settings.REDIS_URL else None
_UNREACHABLE = (redis.RedisError, OSError)
_down_until = 0.0  # time.monotonic()
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

    def headers(self, what: str = "requests") -> Mapping[str, str]:
        """As OpenAI sends them; the reset is a Go duration. A limit of 0 is none, and then nothing is left or reset."""
        if not self.limit:
            return _NO_LIMIT[what]
        return {
            f"x-ratelimit-limit-{what}": str(self.limit),
            f"x-ratelimit-remaining-{what}": str(max(self.remaining, 0)),
            f"x-ratelimit-reset-{what}": f"{max(self.resets_in_s, 0):.3f}s",
        }


_NO_LIMIT = {what: {f"x-ratelimit-limit-{what}": "0"} for what in ("requests", "tokens")}
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
_inside = 0  # calls in this process
_guard = threading.Lock()
_owed: deque[Entry] = deque(maxlen=10_000)  # seats that could not be given back yet


def take(caller: Caller) -> Allowance:
    """Counts one request of the key. The refusal is the caller's to make: see `refuse`. Raises StoreDown."""
    rpm = requests_a_minute(caller.workspace_id, caller.rpm)
    if not rpm:
        return UNLIMITED
    item = RateLimitItemPerMinute(rpm)
    name = item.key_for(caller.key_id)
    with _reachable():  # as the limiter would, with a look at the store less
        count = _storage.incr(name, item.get_expiry(), amount=1)
        ends = _storage.get_expiry(name)
    return Allowance(rpm, max(rpm - count, -1), ends - time.time())


def left(caller: Caller) -> Allowance:
    """Of the key's requests a minute, without counting one. Raises StoreDown."""
    return _left(caller, requests_a_minute(caller.workspace_id, caller.rpm))


def refuse(allowance: Allowance) -> None:
    """Raises RateLimited (429) if `take` went over the limit."""
    if allowance.limit and allowance.remaining < 0:
        raise RateLimited(
            f"This key may make {allowance.limit} requests a minute: wait, or ask for a higher limit.",
            retry_after_s=allowance.resets_in_s,
        )


def tokens_left(caller: Caller) -> Allowance:
    """Of the key's tokens a minute. Raises StoreDown."""
    return _left(caller, caller.tpm, "tokens")


def seats_taken(caller: Caller) -> int:
    """How many requests of the key are at work, where it has a limit of them. Raises StoreDown."""
    if not caller.concurrency:
        return 0
    with _reachable():
        if _redis is not None:
            return int(_redis.zcount(f"seats:{caller.key_id}", time.time(), "+inf"))
        return _shared.seats_taken(caller.key_id, caller.concurrency)


def enter(caller: Caller, tokens: int) -> Entry:
    """Lets a call in that uses `tokens` at most. Raises Overloaded (503) at once, RateLimited (429), StoreDown (503)."""
    _come_in()
    if not (caller.tpm or caller.concurrency):
        return _INSIDE
    seat: int | str | None = None
    try:
        with _reachable():
            if caller.concurrency:
                seat = _sit(caller)
            window_ends = _reserve(caller, tokens) if caller.tpm else 0.0
    except BaseException:
        leave(Entry(caller.key_id, seat), 0)
        raise
    return Entry(caller.key_id, seat, caller.tpm, tokens, window_ends)


def leave(entry: Entry, tokens: int) -> None:
    """The call is over and used so many tokens: the rest can be used by others.

    It has its answer, so a store that is down does not matter: the window ends by itself, a seat is given back later.
    """
    _go_out()
    if entry.seat is None and not entry.tpm:
        return
    try:
        with _reachable():
            _give_back(entry, tokens)
    except StoreDown:
        if entry.seat is not None:
            _owed.append(Entry(entry.key_id, entry.seat))


def _give_back(entry: Entry, tokens: int) -> None:
    if entry.seat is not None:
        if _redis is not None:
            _redis.zrem(f"seats:{entry.key_id}", entry.seat)
        else:
            _shared.leave_seat(entry.key_id, int(entry.seat))
    if entry.tpm and entry.tokens > tokens and time.time() < entry.window_ends:
        item = RateLimitItemPerMinute(entry.tpm)
        _storage.incr(item.key_for(entry.key_id, "tokens"), item.get_expiry(), amount=tokens - entry.tokens)


def _left(caller: Caller, limit: int, *what: str) -> Allowance:
    if not limit:
        return UNLIMITED
    with _reachable():
        window = _limiter.get_window_stats(RateLimitItemPerMinute(limit), caller.key_id, *what)
    return Allowance(limit, window.remaining, window.reset_time - time.time())


@contextmanager
def _reachable() -> Iterator[None]:
    """Makes StoreDown of what the store raises, at once while it is known to be down."""
    global _down_until
    down = StoreDown("The store of limits is unavailable: try again shortly.")
    if time.monotonic() < _down_until:
        raise down
    try:
        yield
    except _UNREACHABLE as error:
        _down_until = time.monotonic() + DOWN_S
        log.error("the store of limits fails: %s", type(error).__name__)
        raise down from error


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
        _repay()
        name, now = uuid.uuid4().hex, time.time()
        try:
            taken = _redis.eval(_SIT, 1, f"seats:{caller.key_id}", now, caller.concurrency, now + SEAT_S, name, SEAT_S)
        except redis.RedisError:
            _owed.append(Entry(caller.key_id, name))  # it may have been taken
            raise
        seat: int | str | None = name if taken else None
    else:
        seat = _shared.take_seat(caller.key_id, caller.concurrency)
    if seat is None:
        raise RateLimited(
            f"This key may make {caller.concurrency} requests at once: wait for one to end.", retry_after_s=1
        )
    return seat


def _repay() -> None:
    while _owed:
        try:
            one = _owed.popleft()
        except IndexError:  # another thread was quicker
            return
        try:
            _redis.zrem(f"seats:{one.key_id}", one.seat)
        except redis.RedisError:
            _owed.append(one)
            raise


def _reserve(caller: Caller, tokens: int) -> float:
    if tokens > caller.tpm:
        raise TokensExceeded(
            f"This key may use {caller.tpm} tokens a minute, and this request alone may use {tokens}: lower max_tokens."
        )
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
