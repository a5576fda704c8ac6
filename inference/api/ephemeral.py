"""Short-lived tokens for browsers: one model, minutes, spending the workspace's budget like any call."""

from __future__ import annotations

from typing import Any

from django.core import signing
from rest_framework.authentication import BaseAuthentication

from portal.accounts.keys.authentication import KeyInvalid, presented
from portal.accounts.keys.lookup import Caller

PREFIX = "mke_"
LIFETIME_S = 600
RPM = 60
_SALT = "mercato.ephemeral"


def issue(workspace_id: str, model: str) -> str:
    """A token that is good for `model` (publisher/name) for LIFETIME_S seconds."""
    return PREFIX + signing.dumps([workspace_id, model], salt=_SALT, compress=True)


class EphemeralAuthentication(BaseAuthentication):
    """`request.auth` becomes a Caller without a key. Raises KeyInvalid for a token that is forged or too old."""

    def authenticate(self, request: Any) -> tuple[None, Caller] | None:
        token = presented(request.META)
        if not token.startswith(PREFIX):
            return None
        try:
            workspace_id, model = signing.loads(token[len(PREFIX) :], salt=_SALT, max_age=LIFETIME_S)
        except signing.SignatureExpired as error:
            raise KeyInvalid("This token has expired: reload the page.") from error
        except signing.BadSignature as error:
            raise KeyInvalid("This token is not valid: reload the page.") from error
        # The limit counts for the workspace's browsers together.
        return None, Caller(key_id="", workspace_id=workspace_id, rpm=RPM, model=model)
