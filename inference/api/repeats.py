"""Answers that need no running: kept under an Idempotency-Key, or in the response cache where the caller wants that."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any

import redis
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from inference.idempotency import keeping
from inference.idempotency.keeping import Attempt, Kept
from inference.settling import Ran
from portal.accounts.keys.lookup import Caller
from portal.kit.errors import Problem

log = logging.getLogger(__name__)
CACHED_S = 300
MOST_CACHED_S = 86_400
MOST_CACHED_BYTES = 1024**2
# Of the first answer's headers, what speaks of that request and not of the answer. All others go along.
_ITS_OWN = ("x-ratelimit-", "access-control-", "vary", "content-length", "allow", "x-mercato-cache", "age")
# What besides the body says which answer is meant.
_MEANING = ("CONTENT_TYPE", "HTTP_ACCEPT", "HTTP_CONTENT_ENCODING", "HTTP_INFERENCE_HEADER_CONTENT_LENGTH")


class CacheInvalid(Problem):
    """The wish for a cached answer cannot be read."""

    status = 422
    code = "cache_invalid"


@dataclass(slots=True)
class Repeat:
    """What this request has to do with others like it: an answer that is there, or where to keep its own."""

    answer: HttpResponse | None = None
    ran: Ran | None = None  # what made the answer in the response cache
    replays: str = ""  # the attempt whose answer it is
    attempt: Attempt | None = None
    cache_key: str = ""
    cache_s: int = 0

    def keep(self, response: HttpResponseBase, body: bytes, ran: Ran | None) -> None:
        """Keeps the answer for those that come; in the cache only what a model said."""
        carried = {name: value for name, value in response.items() if not name.lower().startswith(_ITS_OWN)}
        attempt, self.attempt = self.attempt, None
        if attempt is not None:
            keeping.keep(attempt, response.status_code, carried, body)
        if self.cache_s and ran is not None and response.status_code == 200 and len(body) <= MOST_CACHED_BYTES:
            _remember(self.cache_key, (time.time(), carried, body, astuple(ran)), self.cache_s)

    def give_up(self) -> None:
        """There is nothing to keep."""
        attempt, self.attempt = self.attempt, None
        if attempt is not None:
            keeping.give_up(attempt)

    def follow(
        self, response: HttpResponseBase, parts: Iterator[bytes], whole: Callable[[], Ran | None]
    ) -> Iterator[bytes]:
        """The parts of a stream, kept when it ended well: then `whole` tells what made it.

        It is kept before its end is told: who has seen the end gets it again. Who left has the rest generated.
        """
        said: list[bytes] = []
        try:
            for part in parts:
                said.append(part)
                if whole() is not None:  # generated and paid: what follows is its frame
                    rest = list(parts)
                    self.keep(response, b"".join([*said, *rest]), whole())
                    yield from (part, *rest)
                    return
                yield part
        except GeneratorExit:
            if self.attempt is None:
                close = getattr(parts, "close", None)
                if close is not None:
                    close()
                raise
            said.extend(parts)
            if whole() is not None:
                self.keep(response, b"".join(said), whole())
            raise
        finally:
            self.give_up()  # nothing, where it was kept


def wished(request: HttpRequest) -> bool:
    """Whether the request has to do with others like it."""
    meta = request.META
    return request.method == "POST" and ("HTTP_IDEMPOTENCY_KEY" in meta or "HTTP_X_MERCATO_CACHE" in meta)


def look_up(caller: Caller, request: HttpRequest) -> Repeat:
    """By the request's headers. Raises what keeping.begin raises, and CacheInvalid.

    Answers are the workspace's; a test key, and one that may call some models only, has answers of its own.
    """
    found, meta = Repeat(), request.META
    wanted = str(meta.get("HTTP_X_MERCATO_CACHE", "")).strip().lower()
    if wanted not in ("", "false", "0"):
        found.cache_s = _seconds(wanted)
    body_hash = _hash(request)
    whose = f"{caller.key_id} " if caller.test or caller.models else ""
    scope = f"{whose}POST {request.path}"
    key = meta.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None:
        begun = keeping.begin(caller.workspace_id, scope, str(key), body_hash)
        if isinstance(begun, Kept):
            headers = {**begun.headers, "idempotent-replayed": "true"}
            found.answer, found.replays = HttpResponse(begun.body, status=begun.status, headers=headers), begun.id
            return found
        found.attempt = begun
    if found.cache_s:
        _look_into_cache(found, "\n".join((caller.workspace_id, scope, *map(str, map(meta.get, _MEANING)), body_hash)))
    return found


def _look_into_cache(found: Repeat, told: str) -> None:
    found.cache_key = f"answer:{hashlib.sha256(told.encode()).hexdigest()}"
    held = _remembered(found.cache_key)
    if held is None:
        return
    at, carried, content, ran = held
    found.ran = Ran(*ran)
    kept = {name: value for name, value in carried.items() if name.lower() not in ("x-request-id", "x-mercato-cost")}
    age = str(max(0, int(time.time() - at)))
    found.answer = HttpResponse(content, headers={**kept, "x-mercato-cache": "hit", "age": age})


def _hash(request: HttpRequest) -> str:
    """Of the body; of a form's parts, since every request has another boundary between them. Raises as reading does."""
    if not request.META.get("CONTENT_TYPE", "").lower().startswith("multipart/form-data"):
        return hashlib.sha256(request.body).hexdigest()
    found = hashlib.sha256()
    for name, values in request.POST.lists():
        found.update(repr((name, values)).encode())
    for name, files in request.FILES.lists():
        for file in files:
            if not isinstance(file, list):
                found.update(repr((name, file.name, file.content_type, file.size)).encode())
                for chunk in file.chunks():
                    found.update(chunk)
                file.seek(0)
    return found.hexdigest()


def _seconds(wanted: str) -> int:
    if wanted == "true":
        return CACHED_S
    if not wanted.isdecimal() or not 1 <= int(wanted) <= MOST_CACHED_S:
        raise CacheInvalid(f"x-mercato-cache is true, or seconds from 1 to {MOST_CACHED_S}.", param="x-mercato-cache")
    return int(wanted)


def _remembered(key: str) -> Any:
    """What the cache has; nothing where it cannot be reached, since one can do without."""
    try:
        return cache.get(key)
    except (redis.RedisError, OSError) as error:
        log.error("the response cache fails: %s", type(error).__name__)
        return None


def _remember(key: str, held: tuple[float, Mapping[str, str], bytes, tuple[str, ...]], seconds: int) -> None:
    try:
        cache.set(key, held, seconds)
    except (redis.RedisError, OSError) as error:
        log.error("the response cache fails: %s", type(error).__name__)
