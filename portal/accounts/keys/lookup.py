"""From a secret to the key it opens, at most a second old."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from portal.accounts.keys.issuing import digest
from portal.accounts.keys.models import Key, KeyKind
from portal.kit.caches import RecentValues


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the key's facts that the hot path needs. Limits of 0 and empty tuples do not limit."""

    key_id: str
    workspace_id: str
    rpm: int
    tpm: int = 0
    concurrency: int = 0
    scopes: frozenset[str] = frozenset({"inference", "usage"})
    models: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    origin: str = ""
    test: bool = False
    expires: float = 0.0  # Unix time; 0: never


def _load(hashed: str) -> Caller | None:
    now = timezone.now()
    good = Key.objects.filter(revoked_at=None).exclude(expires_at__lte=now)
    key = good.filter(hash=hashed).first() or (
        good.exclude(previous_hash="").filter(previous_hash=hashed, previous_until__gt=now).first()
    )
    return None if key is None else caller(key, hashed)


def caller(key: Key, hashed: str = "") -> Caller:
    """The key's facts; `hashed` is the secret it was found by."""
    ends = [key.expires_at] if key.expires_at else []
    if hashed and hashed != key.hash and key.previous_until:
        ends.append(key.previous_until)
    return Caller(
        key_id=key.pk,
        workspace_id=key.workspace_id,
        rpm=key.rpm,
        tpm=key.tpm,
        concurrency=key.concurrency,
        scopes=frozenset(key.scopes),
        models=tuple(key.allowed_models),
        networks=tuple(key.networks),
        origin=key.origin,
        test=key.kind == KeyKind.TEST,
        expires=min(ends).timestamp() if ends else 0.0,
    )


_recent = RecentValues(_load, settings.CATALOG_MAX_AGE_S)


def caller_of(secret: str) -> Caller | None:
    """The caller whose key this is; None if it is unknown, expired or revoked. A database that is down raises."""
    found = _recent.get(digest(secret))
    if found is not None and found.expires and found.expires <= time.time():
        return None
    return found
