"""What is left of all that limits a key: its requests and tokens a minute, requests at once, caps, its workspace's money."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from billing import money
from billing.gate import leases
from billing.gate.binding import binding_of
from billing.gate.standing import left_under, standings
from billing.ledger.balances import balance
from billing.plans import subscribing
from billing.plans.allowances import postpaid_limit
from inference import limits
from inference.limits import Allowance
from portal.accounts.keys.lookup import Caller


def left_of(caller: Caller, now: datetime) -> dict[str, Any]:
    """`left`, `resets_at` and `workspace` of GET /v1/key. None: not limited, or never. Counts no request, changes nothing.

    Money that is lent to servers and not spent yet counts as left. Raises StoreDown.
    """
    requests, tokens = limits.left(caller), limits.tokens_left(caller)
    standing = standings([caller.key_id], now)[caller.key_id]
    caps = {cap.period: max(cap.limit_nanos - cap.spent_nanos, 0) for cap in standing}
    ends = {cap.period: cap.until.isoformat() if cap.until else None for cap in standing}
    workspace, spendable = _workspace(caller.workspace_id)
    bound = binding_of(caller.workspace_id, caller.key_id)
    return {
        "left": {
            "requests": _remaining(requests),
            "tokens": _remaining(tokens),
            "concurrency": max(caller.concurrency - limits.seats_taken(caller), 0) if caller.concurrency else None,
            "caps": {period: money.decimal(nanos) for period, nanos in caps.items()},
            "cost": money.decimal(min([spendable, *caps.values(), *left_under(bound, now)])),
        },
        "resets_at": {"requests": _reset(requests, now), "tokens": _reset(tokens, now), "caps": ends},
        "workspace": workspace,
    }


def _workspace(workspace_id: str) -> tuple[dict[str, Any], int]:
    """What it can spend, by where it is paid from, and the sum."""
    held, limit = balance(workspace_id), postpaid_limit(workspace_id)
    nanos = {"promo": held.promo_nanos, "credit": held.credit_nanos, "receivable": max(limit - held.owed_nanos, 0)}
    for funding, lent in leases.idle(workspace_id).items():
        nanos[funding] += lent
    told = {
        "id": workspace_id,
        "plan": subscribing.plan_of(workspace_id).pk,
        "spendable": money.decimal(sum(nanos.values())),
        "promo": money.decimal(nanos["promo"]),
        "credit": money.decimal(nanos["credit"]),
        "postpaid": money.decimal(nanos["receivable"]),
    }
    return told, sum(nanos.values())


def _remaining(allowance: Allowance) -> int | None:
    return max(allowance.remaining, 0) if allowance.limit else None


def _reset(allowance: Allowance, now: datetime) -> str | None:
    """When all of it is there again."""
    if not allowance.limit:
        return None
    return (now + timedelta(seconds=max(allowance.resets_in_s, 0))).astimezone(UTC).isoformat(timespec="milliseconds")
