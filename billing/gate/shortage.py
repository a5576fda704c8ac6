"""What a refusal for want of credit sets off: the month's included usage where it is due, and a mark for automatic recharge."""

from __future__ import annotations

import time

from django.utils import timezone

from billing.credit import recharge
from billing.plans import allowances

ASK_EVERY_S = 60.0  # a workspace that is refused again and again is looked at so often
MOST = 100_000  # workspaces that are remembered
_asked: dict[str, float] = {}


def helped(workspace_id: str) -> bool:
    """Whether there is more now than when the hold was refused."""
    recharge.want(workspace_id)
    now = time.monotonic()
    if now - _asked.get(workspace_id, -ASK_EVERY_S) < ASK_EVERY_S:
        return False
    if len(_asked) >= MOST:
        _asked.clear()
    _asked[workspace_id] = now
    return allowances.renew(workspace_id, timezone.now())


def forget() -> None:
    """Looks at everybody anew."""
    _asked.clear()
