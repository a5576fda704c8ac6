"""May the key call now: requests a minute.

In memory, or in Redis by REDIS_URL. Without Redis each web process counts for itself; `make run` has one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.conf import settings
from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from inference.errors import RateLimited
from portal.accounts.keys.lookup import Caller

_limiter = FixedWindowRateLimiter(storage_from_string(settings.REDIS_URL or "memory://"))


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of the minute. `limit` 0: no limit."""

    limit: int
    remaining: int
    resets_in_s: float

    def headers(self) -> dict[str, str]:
        """As OpenAI sends them; the reset is a Go duration."""
        if not self.limit:
            return {"x-ratelimit-limit-requests": "0"}
        return {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(self.remaining),
            "x-ratelimit-reset-requests": f"{max(self.resets_in_s, 0):.3f}s",
        }


UNLIMITED = Allowance(0, 0, 0.0)


def take(caller: Caller) -> Allowance:
    """Counts one request of the key. The refusal is the caller's to make: see `refuse`."""
    if not caller.rpm:
        return UNLIMITED
    item = RateLimitItemPerMinute(caller.rpm)
    whose = caller.key_id or caller.workspace_id
    allowed = _limiter.hit(item, whose)
    window = _limiter.get_window_stats(item, whose)
    remaining = window.remaining if allowed else -1
    return Allowance(caller.rpm, remaining, window.reset_time - time.time())


def refuse(allowance: Allowance) -> None:
    """Raises RateLimited (429) if `take` went over the limit."""
    if allowance.limit and allowance.remaining < 0:
        raise RateLimited(
            f"This key may make {allowance.limit} requests a minute: wait, or ask for a higher limit.",
            retry_after_s=allowance.resets_in_s,
        )
