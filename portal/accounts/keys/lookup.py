"""From a secret to the key it opens, at most a second old."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from portal.accounts.keys.issuing import digest
from portal.accounts.keys.models import Key
from portal.kit.caches import RecentValues


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the key's facts that the hot path needs."""

    key_id: str
    workspace_id: str
    rpm: int  # 0: no limit
    model: str = ""  # publisher/name where the credential is good for that model only


def _load(hashed: str) -> Caller | None:
    key = Key.objects.filter(hash=hashed, revoked_at=None).only("id", "workspace_id", "rpm").first()
    return None if key is None else Caller(key_id=key.id, workspace_id=key.workspace_id, rpm=key.rpm)


_recent = RecentValues(_load, settings.CATALOG_MAX_AGE_S)


def caller_of(secret: str) -> Caller | None:
    """The caller whose key this is; None if it is unknown or revoked. A database that is down raises."""
    return _recent.get(digest(secret))
