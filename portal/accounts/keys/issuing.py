"""Issuing and revoking API keys."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.accounts.keys.models import Key, KeyKind, default_scopes
from portal.accounts.keys.scopes import LimitsInvalid, checked
from portal.accounts.models import User, Workspace
from portal.kit.errors import Problem

PREFIXES = {KeyKind.LIVE: "mk_", KeyKind.TEST: "mk_test_", KeyKind.EPHEMERAL: "mke_"}
EPHEMERAL_MOST = timedelta(hours=1)
OVERLAP_MOST = timedelta(days=30)


class KeyNameInvalid(Problem):
    """The name is empty or too long."""

    status = 422
    code = "key_name_invalid"


def digest(secret: str) -> str:
    """What is kept of a secret. It has 256 random bits, so a plain hash is as good as a slow one."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True)
class Limits:
    """What a key may do. See models.Key for the fields."""

    rpm: int | None = None  # None: settings.KEY_DEFAULT_RPM; 0: no limit
    tpm: int = 0
    concurrency: int = 0
    scopes: Sequence[str] = field(default_factory=default_scopes)
    models: Sequence[str] = ()
    networks: Sequence[str] = ()
    origin: str = ""
    expires_at: datetime | None = None


def issue(
    workspace: Workspace,
    name: str,
    created_by: User | None = None,
    limits: Limits | None = None,
    kind: KeyKind = KeyKind.LIVE,
) -> tuple[Key, str]:
    """A new key and its secret, which nobody can show again. Raises KeyNameInvalid and LimitsInvalid."""
    secret = PREFIXES[kind] + secrets.token_urlsafe(32)
    key = Key(workspace=workspace, created_by=created_by, kind=kind, hint=_hint(secret), hash=digest(secret))
    change(key, name, limits or Limits())
    return key, secret


def change(key: Key, name: str, limits: Limits) -> None:
    """Names the key and sets what it may do; processes notice within settings.CATALOG_MAX_AGE_S."""
    name = name.strip()
    if not name or len(name) > 80:
        raise KeyNameInvalid(_("Give the key a name of 1 to 80 characters."), param="name")
    scopes, models, networks = checked(limits.scopes, limits.models, limits.networks)
    if limits.expires_at is not None and limits.expires_at <= timezone.now():
        raise LimitsInvalid(_("The key would have expired already: choose a later time."), param="/expires_at")
    key.name = name
    key.rpm = settings.KEY_DEFAULT_RPM if limits.rpm is None else limits.rpm
    key.tpm, key.concurrency = limits.tpm, limits.concurrency
    key.scopes, key.allowed_models, key.networks = scopes, models, networks
    key.origin, key.expires_at = limits.origin, limits.expires_at
    key.save()


def rotate(key: Key, overlap: timedelta) -> str:
    """A new secret for the key; the one before opens for `overlap` more. Raises LimitsInvalid."""
    if key.revoked_at is not None:
        raise LimitsInvalid(_("This key is revoked: make a new one."))
    if not timedelta(0) <= overlap <= OVERLAP_MOST:
        raise LimitsInvalid(_("The overlap may be 0 seconds to 30 days."), param="/overlap_seconds")
    secret = PREFIXES[KeyKind(key.kind)] + secrets.token_urlsafe(32)
    key.previous_hash, key.previous_until = key.hash, timezone.now() + overlap
    key.hash, key.hint = digest(secret), _hint(secret)
    key.save(update_fields=["hash", "hint", "previous_hash", "previous_until"])
    return secret


def revoke(key: Key) -> None:
    """Ends the key; running processes notice within settings.CATALOG_MAX_AGE_S. Twice does no harm."""
    Key.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())


def _hint(secret: str) -> str:
    return f"{secret[: secret.rindex('_', 0, 9) + 4]}…{secret[-4:]}"
