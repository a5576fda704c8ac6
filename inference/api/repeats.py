"""Answers that need no running: kept under an Idempotency-Key, or in the response cache where the caller wants that."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.cache import cache
from django.http import HttpResponse

from inference.idempotency import keeping
from inference.idempotency.keeping import Attempt, Kept
from portal.kit.errors import Problem

CACHED_S = 300
MOST_CACHED_S = 86_400
MOST_CACHED_BYTES = 1024**2
_CARRIED = ("Content-Type", "x-mercato-cost", "x-request-id")  # of the first answer's headers


class CacheInvalid(Problem):
    """The wish for a cached answer cannot be read."""

    status = 422
    code = "cache_invalid"


@dataclass(slots=True)
class Repeat:
    """What this request has to do with others like it: an answer that is there, or where to keep its own."""

    answer: HttpResponse | None = None
    attempt: Attempt | None = None
    cache_key: str = ""
    cache_s: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def keep(self, response: HttpResponse, body: bytes) -> None:
        """Keeps the answer for those that come."""
        if self.attempt is not None:
            carried = {name: response[name] for name in _CARRIED if name in response}
            keeping.keep(self.attempt, response.status_code, carried, body)
        if self.cache_s and response.status_code == 200 and len(body) <= MOST_CACHED_BYTES:
            cache.set(self.cache_key, (time.time(), response["Content-Type"], body), self.cache_s)

    def give_up(self) -> None:
        """There is nothing to keep."""
        if self.attempt is not None:
            keeping.give_up(self.attempt)

    def follow(self, response: Any, parts: Iterator[bytes], is_whole: Any) -> Iterator[bytes]:
        """The parts of a stream, kept when it ended well. Who left has the rest generated: a repetition replays it."""
        said: list[bytes] = []
        try:
            for part in parts:
                said.append(part)
                yield part
        except GeneratorExit:
            if self.attempt is None:
                close = getattr(parts, "close", None)
                if close is not None:
                    close()
                raise
            said.extend(parts)
            raise
        finally:
            if is_whole():
                self.keep(response, b"".join(said))
            else:
                self.give_up()


NOTHING = Repeat()


def look_up(meta: Mapping[str, Any], workspace_id: str, address: str, body: bytes) -> Repeat:
    """By the request's headers. Raises what keeping.begin raises, and CacheInvalid."""
    found = Repeat()
    wanted = str(meta.get("HTTP_X_MERCATO_CACHE", "")).strip().lower()
    if wanted not in ("", "false", "0"):
        found.cache_s = _seconds(wanted)
        told = hashlib.sha256(b"\n".join((workspace_id.encode(), address.encode(), body))).hexdigest()
        found.cache_key = f"answer:{told}"
        held = cache.get(found.cache_key)
        if held is not None:
            at, kind, content = held
            headers = {"x-mercato-cache": "hit", "age": str(int(time.time() - at)), "x-mercato-cost": "0.00"}
            found.answer = HttpResponse(content, content_type=kind, headers=headers)
            return found
        found.headers["x-mercato-cache"] = "miss"
    key = meta.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None:
        begun = keeping.begin(workspace_id, address, str(key), body)
        if isinstance(begun, Kept):
            headers = {**begun.headers, "idempotent-replayed": "true"}
            found.answer = HttpResponse(begun.body, status=begun.status, headers=headers)
        else:
            found.attempt = begun
    return found


def _seconds(wanted: str) -> int:
    if wanted == "true":
        return CACHED_S
    if not wanted.isdecimal() or not 1 <= int(wanted) <= MOST_CACHED_S:
        raise CacheInvalid(f"x-mercato-cache is true, or seconds from 1 to {MOST_CACHED_S}.", param="x-mercato-cache")
    return int(wanted)
