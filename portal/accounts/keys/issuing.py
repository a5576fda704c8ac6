"""Issuing and revoking API keys."""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.accounts.keys.models import Key
from portal.accounts.models import User, Workspace
from portal.kit.errors import Problem

PREFIX = "mk_"


class KeyNameInvalid(Problem):
    """The name is empty or too long."""

    status = 422
    code = "key_name_invalid"


def digest(secret: str) -> str:
    """What is kept of a secret. It has 256 random bits, so a plain hash is as good as a slow one."""
    return hashlib.sha256(secret.encode()).hexdigest()


def issue(workspace: Workspace, name: str, created_by: User | None = None, rpm: int | None = None) -> tuple[Key, str]:
    """A new key and its secret, which nobody can show again. Raises KeyNameInvalid."""
    name = name.strip()
    if not name or len(name) > 80:
        raise KeyNameInvalid(_("Give the key a name of 1 to 80 characters."), param="name")
    secret = PREFIX + secrets.token_urlsafe(32)
    key = Key.objects.create(
        workspace=workspace,
        created_by=created_by,
        name=name,
        hint=f"{secret[:6]}…{secret[-4:]}",
        hash=digest(secret),
        rpm=settings.KEY_DEFAULT_RPM if rpm is None else rpm,
    )
    return key, secret


def revoke(key: Key) -> None:
    """Ends the key; running processes notice within settings.CATALOG_MAX_AGE_S. Twice does no harm."""
    Key.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())
