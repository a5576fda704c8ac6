"""Short-lived tokens for browsers: keys that are good for one model, minutes, and so much money."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from billing.gate.caps import set_cap
from portal.accounts.keys.issuing import EPHEMERAL_MOST, Limits, issue
from portal.accounts.keys.models import KeyKind
from portal.accounts.keys.scopes import LimitsInvalid
from portal.accounts.models import Key, User, Workspace

RPM = 60


def issue_token(
    workspace: Workspace,
    model: str,
    expires_at: datetime,
    cap_nanos: int,
    origin: str = "",
    created_by: User | None = None,
) -> tuple[Key, str]:
    """A token for `model` (publisher/name), for pages of `origin` where one is given. Raises LimitsInvalid."""
    if expires_at > timezone.now() + EPHEMERAL_MOST:
        raise LimitsInvalid("A token lives an hour at most.", param="/expires_in")
    limits = Limits(rpm=RPM, scopes=["inference"], models=[model], origin=origin, expires_at=expires_at)
    with transaction.atomic():
        key, secret = issue(workspace, f"token for {model}"[:80], created_by, limits, KeyKind.EPHEMERAL)
        set_cap(key, cap_nanos)
    return key, secret
