"""DRF authentication by API key: `Authorization: Bearer mk_…` or `x-api-key: mk_…`."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication

from portal.accounts.keys.lookup import Caller, caller_of
from portal.accounts.keys.scopes import require_network
from portal.kit.errors import Problem


class KeyInvalid(Problem):
    """No key, or one that opens nothing."""

    status = 401
    code = "invalid_api_key"


def presented(meta: dict[str, Any]) -> str:
    """The secret in the request's headers; empty if there is none."""
    scheme, _, secret = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    if secret and scheme.lower() == "bearer":
        return str(secret).strip()
    return str(meta.get("HTTP_X_API_KEY", "")).strip()


class KeyAuthentication(BaseAuthentication):
    """`request.auth` becomes the Caller. Raises KeyInvalid and NetworkRefused; never answers 401 for a database that is down."""

    def authenticate(self, request: Any) -> tuple[None, Caller] | None:
        secret = presented(request.META)
        if not secret:
            return None
        caller = caller_of(secret)
        if caller is None:
            raise KeyInvalid("This API key is unknown, expired or revoked. Create one on /keys.")
        if caller.networks or caller.origin:
            require_network(caller.networks, caller.origin, request.META)
        return None, caller

    def authenticate_header(self, request: Any) -> str:
        return 'Bearer realm="mercato"'
